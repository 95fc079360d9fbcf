"""A phone as the sensor: its browser opens a page over HTTPS on the local network and sends its motion, or an app does.

This file has the link to a phone: the address it opens, its messages in, actions of the driver out, over lost
connections. It gives what :class:`imu.bluetooth.link.SensorLink` gives, so that a training treats both alike. The
connections come from `browser`, which serves the page that a phone's browser opens, with the certificate for HTTPS, and
from `push`, which takes the messages of Sensor Logger; `gate` guards the port of every server. The bytes are those of
:mod:`imu.sensors.phone` and :mod:`imu.sensors.sensor_logger_push`. Needs the extra ``share``.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from bleak.backends.device import BLEDevice

from imu.bluetooth import HostClock, LinkState
from imu.bluetooth.link import LinkNotice
from imu.bluetooth.scan import SeenSensor
from imu.errors import SensorLost
from imu.sensors.conversation import Action, Advertisement, Heard, LinkDown, LinkUp, Message, SensorKind, Write
from imu.sensors.phone import HAVE, PHONE, REFUSED, SETTLED

GIVE_UP_S = 120.0
"""From losing a phone to its return: a walk to the water fountain, as with Bluetooth."""
LARGEST_MESSAGE = 256 * 1024
"""Bytes; a batch of a minute at 100 Hz has 192 kB."""
NUMBERS = {HAVE: 0, SETTLED: 1, REFUSED: 2}
"""First byte of a message to the phone."""
ENDED = bytes([3])
"""Message to the phone: the training has ended."""

SECOND_PHONE = "Another phone trains here. To use this phone, end the training on the computer and start it again."
TRAINING_ENDED = "The training on the computer has ended."

Send = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class PhoneAddress:
    """Where the phone finds the page, and what it must see there.

    Attributes
    ----------
    url : str
        With the key.
    fingerprint : str
        SHA-256 of the certificate, as browsers show it.
    words : str
        What an invitation in the terminal says, with places for code, url and fingerprint.
    """

    url: str
    fingerprint: str
    words: str = ""

    def qr_code(self) -> str:
        """Return the URL as a QR code of half blocks, for a terminal."""
        import segno  # noqa: PLC0415 - an extra

        drawn = io.StringIO()
        segno.make(self.url, micro=False, error="l").terminal(drawn, compact=True, border=2)
        return drawn.getvalue()

    def picture(self) -> str:
        """Return the URL as a QR code for a page: the address of an SVG that holds it."""
        return _picture(self.url)

    def invitation(self, *, with_qr_code: bool) -> str:
        """Return the lines for a terminal while the phone is not connected yet."""
        code = f"{self.qr_code()}\n" if with_qr_code else ""
        return self.words.format(code=code, url=self.url, fingerprint=self.fingerprint)


@lru_cache(maxsize=8)
def _picture(url: str) -> str:
    import segno  # noqa: PLC0415 - an extra

    return str(segno.make(url, micro=False, error="m").svg_data_uri(border=3, scale=8, light="#fff"))


class PhoneLink:
    """The link to one phone.

    Iterate over `messages`, answer with `ask`, and always call `close`; all in one event loop.

    Parameters
    ----------
    clock : HostClock
        Clock for the times of arrival.
    kind : SensorKind
        What the phone runs.
    give_up_s : float
        Limit on the time without a connection once there was one; before, the link waits for as long as it takes.
    """

    def __init__(self, clock: HostClock, kind: SensorKind = PHONE, give_up_s: float = GIVE_UP_S) -> None:
        self._clock = clock
        self._kind = kind
        self._give_up_s = give_up_s
        self._inbox: asyncio.Queue[Message | LinkNotice | SensorLost | None] = asyncio.Queue()
        self._sensor: SeenSensor | None = None
        self._phone: bytes | None = None  # its name
        self._send: Send | None = None
        self._first_connection = asyncio.Event()
        self._giving_up: asyncio.TimerHandle | None = None
        self.is_closed = False

    # --- for the training ---------------------------------------------------------------------------------------------

    async def messages(self) -> AsyncIterator[Message | LinkNotice]:
        """Yield messages and states of the link until `close`; to be called once.

        Raises
        ------
        SensorLost
            After the last message, if the phone has not come back in time.
        """
        if self.is_closed:
            return
        yield LinkNotice(LinkState.SEARCHING)
        while (item := await self._inbox.get()) is not None:
            if isinstance(item, SensorLost):
                raise item
            yield item

    def ask(self, actions: Iterable[Action]) -> None:
        """Send the driver's messages to the phone; without a connection they are dropped, and sent again later."""
        for action in actions:
            if self._send is not None and isinstance(action, Write) and action.characteristic in NUMBERS:
                self._send(bytes([NUMBERS[action.characteristic]]) + action.payload)

    async def close(self, stop_actions: Iterable[Action] = ()) -> None:
        """End the link; `messages` yields the messages that have come, and ends."""
        del stop_actions  # a phone stops when its page is closed
        if not self.is_closed:
            self.is_closed = True
            if self._send is not None:
                self._send(ENDED)
            self._stop_waiting()
            self._inbox.put_nowait(None)

    # --- for the server -----------------------------------------------------------------------------------------------

    def refusal(self, name: bytes) -> str | None:
        """Return why the phone with this name may not send; ``None`` if it may: one training has one phone.

        The name is random, and the phone keeps it, so that it may come back on another connection while the computer
        has not noticed the end of the last one. Another phone may have other axes.
        """
        if self.is_closed:
            return TRAINING_ENDED
        return None if self._phone in (None, name) else SECOND_PHONE

    def connect(self, send: Send, name: bytes) -> None:
        """Take a connection of a phone for which there is no `refusal`."""
        if self._send is not None:
            self.disconnect(self._send)
        self._stop_waiting()
        self._phone, self._send = name, send
        self._first_connection.set()
        if self._sensor is None:
            title, kind = self._kind.title, self._kind
            self._sensor = SeenSensor(title, kind.name, None, kind, Advertisement(), BLEDevice(kind.name, title, None))
        self._inbox.put_nowait(LinkNotice(LinkState.CONNECTED, self._sensor))
        self._inbox.put_nowait(LinkUp(self._clock.now_ns()))

    def hear(self, send: Send, what: str, payload: bytes) -> None:
        """Take a message of the phone that is connected with `send`; one of an older connection is dropped."""
        if send == self._send:
            self._inbox.put_nowait(Heard(self._clock.now_ns(), what, payload))

    def disconnect(self, send: Send) -> None:
        """Take that the connection with `send` has ended."""
        if send != self._send:
            return
        self._send = None
        self._inbox.put_nowait(LinkDown(self._clock.now_ns()))
        self._inbox.put_nowait(LinkNotice(LinkState.LOST, self._sensor))
        if not self.is_closed:
            self._giving_up = asyncio.get_running_loop().call_later(self._give_up_s, self._give_up)

    async def until_connected(self) -> None:
        """Wait for the first connection of a phone."""
        await self._first_connection.wait()

    def _give_up(self) -> None:
        self._inbox.put_nowait(
            SensorLost(
                f"the phone was lost and did not come back within {self._give_up_s:.0f} s: keep its page open with the "
                "screen on, or Sensor Logger recording, and start again; the recording so far is kept"
            )
        )

    def _stop_waiting(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None
