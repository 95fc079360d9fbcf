"""The link to a phone: messages of its page in, actions of the driver out, over lost connections and reloads.

It gives what :class:`imu.bluetooth.link.SensorLink` gives, so that a training treats both alike. The connections
themselves come from :mod:`imu.phone.server`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from bleak.backends.device import BLEDevice

from imu.bluetooth import HostClock, LinkState
from imu.bluetooth.link import LinkNotice
from imu.bluetooth.scan import SeenSensor
from imu.errors import SensorLost
from imu.sensors.conversation import Action, Advertisement, Heard, LinkDown, LinkUp, Message, Write
from imu.sensors.phone import BATCH, HAVE, HEAD, HELLO, PHONE, SETTLED

GIVE_UP_S = 120.0
"""From losing a phone to its return: a walk to the water fountain, as with Bluetooth."""
LARGEST_MESSAGE = 256 * 1024
"""Bytes; a batch of a minute at 100 Hz has 192 kB."""
KINDS = {0: HELLO, 1: BATCH}
"""First byte of a message of the page, and what follows it."""
NUMBERS = {HAVE: 0, SETTLED: 1}
"""First byte of a message to the page."""

Send = Callable[[bytes], Awaitable[None]]


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
        self._page: int | None = None
        self._send: Send | None = None
        self._sending: set[asyncio.Task[None]] = set()
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
                payload = bytes([NUMBERS[action.characteristic]]) + action.payload
                task = asyncio.ensure_future(self._send(payload))
                self._sending.add(task)
                task.add_done_callback(self._sent)

    async def close(self, stop_actions: Iterable[Action] = ()) -> None:
        """End the link; `messages` yields what has come, and ends."""
        del stop_actions  # a phone stops when its page is closed
        if not self._is_closed:
            self._is_closed = True
            self._stop_waiting()
            self._inbox.put_nowait(None)

    # --- for the server -----------------------------------------------------------------------------------------------

    def accepts(self, payload: bytes) -> bool:
        """Return whether the page whose first message this is may send: one phone trains at a time.

        A page that lost its connection, and one loaded again after the connection was lost, may.
        """
        if self._is_closed or len(payload) < 1 + HEAD.size or KINDS.get(payload[0]) != HELLO:
            return False
        return self._send is None or HEAD.unpack_from(payload, 1)[0] == self._page

    def connect(self, send: Send, address: str, first_message: bytes) -> None:
        """Take a connection; the first message is one that `accepts` has passed."""
        if self._send is not None:
            self.disconnect(self._send)
        self._stop_waiting()
        self._page, self._send = HEAD.unpack_from(first_message, 1)[0], send
        if self._sensor is None:
            self._sensor = SeenSensor("phone", address, None, PHONE, Advertisement(), BLEDevice(address, "phone", None))
        self._inbox.put_nowait(LinkNotice(LinkState.CONNECTED, self._sensor))
        self._inbox.put_nowait(LinkUp(self._clock.now_ns()))
        self.hear(send, first_message)

    def hear(self, send: Send, payload: bytes) -> None:
        """Take a message of the page that is connected with `send`; one of an older connection is dropped."""
        if send is self._send and payload and payload[0] in KINDS:
            self._inbox.put_nowait(Heard(self._clock.now_ns(), KINDS[payload[0]], payload[1:]))

    def disconnect(self, send: Send) -> None:
        """Take that the connection with `send` has ended."""
        if send is not self._send:
            return
        self._send = None
        self._inbox.put_nowait(LinkDown(self._clock.now_ns()))
        self._inbox.put_nowait(LinkNotice(LinkState.LOST, self._sensor))
        if not self._is_closed:
            self._giving_up = asyncio.get_running_loop().call_later(self._give_up_s, self._give_up)

    @property
    def is_connected(self) -> bool:
        """Whether a phone is connected now."""
        return self._send is not None

    def _give_up(self) -> None:
        self._inbox.put_nowait(
            SensorLost(
                f"the phone has not come back within {self._give_up_s:.0f} s: keep its page open and its screen on"
            )
        )

    def _stop_waiting(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        if not task.cancelled():
            task.exception()  # mark it as retrieved: a connection that ends says so itself
