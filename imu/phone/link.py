"""The link to a phone: messages of its page in, actions of the driver out, over lost connections and reloads.

It gives what :class:`imu.bluetooth.link.SensorLink` gives, so that a training treats both alike. The connections
themselves come from :mod:`imu.phone.server`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

from bleak.backends.device import BLEDevice

from imu.bluetooth import HostClock, LinkState
from imu.bluetooth.link import LinkNotice
from imu.bluetooth.scan import SeenSensor
from imu.errors import SensorLost
from imu.sensors.conversation import Action, Advertisement, Heard, LinkDown, LinkUp, Message, Write
from imu.sensors.phone import BATCH, HAVE, HEAD, HELLO, NAME_BYTES, PHONE, REFUSED, SETTLED

GIVE_UP_S = 120.0
"""From losing a phone to its return: a walk to the water fountain, as with Bluetooth."""
LARGEST_MESSAGE = 256 * 1024
"""Bytes; a batch of a minute at 100 Hz has 192 kB."""
KINDS = {0: HELLO, 1: BATCH}
"""First byte of a message of the page, and what follows it."""
NUMBERS = {HAVE: 0, SETTLED: 1, REFUSED: 2}
"""First byte of a message to the page."""
ENDED = bytes([3])
"""Message to the page: the training has ended."""

Send = Callable[[bytes], None]


class PhoneLink:
    """The link to one phone.

    Iterate over `messages`, answer with `ask`, and always call `close`; all in one event loop.

    Parameters
    ----------
    clock : HostClock
        Clock for the times of arrival.
    give_up_s : float
        Limit on the time without a connection once there was one; before, the link waits for as long as it takes.
    """

    def __init__(self, clock: HostClock, give_up_s: float = GIVE_UP_S) -> None:
        self._clock = clock
        self._give_up_s = give_up_s
        self._inbox: asyncio.Queue[Message | LinkNotice | SensorLost | None] = asyncio.Queue()
        self._sensor: SeenSensor | None = None
        self._phone: bytes | None = None  # its random name
        self._send: Send | None = None
        self._first_connection = asyncio.Event()
        self._giving_up: asyncio.TimerHandle | None = None
        self._is_closed = False

    # --- for the training ---------------------------------------------------------------------------------------------

    async def messages(self) -> AsyncIterator[Message | LinkNotice]:
        """Yield messages and states of the link until `close`; to be called once.

        Raises
        ------
        SensorLost
            After the last message, if the phone has not come back in time.
        """
        if self._is_closed:
            return
        yield LinkNotice(LinkState.SEARCHING)
        while (item := await self._inbox.get()) is not None:
            if isinstance(item, SensorLost):
                raise item
            yield item

    def ask(self, actions: Iterable[Action]) -> None:
        """Send what the driver wants to the page; without a connection it is dropped, and asked again later."""
        for action in actions:
            if self._send is not None and isinstance(action, Write) and action.characteristic in NUMBERS:
                self._send(bytes([NUMBERS[action.characteristic]]) + action.payload)

    async def close(self, stop_actions: Iterable[Action] = ()) -> None:
        """End the link; `messages` yields what has come, and ends."""
        del stop_actions  # a phone stops when its page is closed
        if not self._is_closed:
            self._is_closed = True
            if self._send is not None:
                self._send(ENDED)
            self._stop_waiting()
            self._inbox.put_nowait(None)

    # --- for the server -----------------------------------------------------------------------------------------------

    def accepts(self, payload: bytes) -> bool:
        """Return whether the page with this first message may send: one training has one phone.

        The phone is recognised by the random name that its browser keeps, so that it may come back on another
        connection while the computer has not noticed the end of the last one. Another phone may have other axes.
        """
        if self._is_closed or len(payload) < 1 + HEAD.size + NAME_BYTES or KINDS.get(payload[0]) != HELLO:
            return False
        return self._phone in (None, _name_of(payload))

    def connect(self, send: Send, first_message: bytes) -> None:
        """Take a connection; the first message is one that `accepts` has passed."""
        if self._send is not None:
            self.disconnect(self._send)
        self._stop_waiting()
        self._phone, self._send = _name_of(first_message), send
        self._first_connection.set()
        if self._sensor is None:
            self._sensor = SeenSensor("phone", "phone", None, PHONE, Advertisement(), BLEDevice("phone", "phone", None))
        self._inbox.put_nowait(LinkNotice(LinkState.CONNECTED, self._sensor))
        self._inbox.put_nowait(LinkUp(self._clock.now_ns()))
        self.hear(send, first_message)

    def hear(self, send: Send, payload: bytes) -> None:
        """Take a message of the page that is connected with `send`; one of an older connection is dropped."""
        if send == self._send and payload and payload[0] in KINDS:
            self._inbox.put_nowait(Heard(self._clock.now_ns(), KINDS[payload[0]], payload[1:]))

    def disconnect(self, send: Send) -> None:
        """Take that the connection with `send` has ended."""
        if send != self._send:
            return
        self._send = None
        self._inbox.put_nowait(LinkDown(self._clock.now_ns()))
        self._inbox.put_nowait(LinkNotice(LinkState.LOST, self._sensor))
        if not self._is_closed:
            self._giving_up = asyncio.get_running_loop().call_later(self._give_up_s, self._give_up)

    async def until_connected(self) -> None:
        """Wait for the first connection of a phone."""
        await self._first_connection.wait()

    def _give_up(self) -> None:
        self._inbox.put_nowait(
            SensorLost(
                f"the phone was lost and did not come back within {self._give_up_s:.0f} s: keep its page open and its "
                "screen on, and start again; the recording so far is kept"
            )
        )

    def _stop_waiting(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None


def _name_of(hello: bytes) -> bytes:
    """Return the random name of the phone in a hello, its first byte included."""
    return hello[1 + HEAD.size : 1 + HEAD.size + NAME_BYTES]
