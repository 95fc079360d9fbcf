"""The virtual radio for other processes: each TCP connection is a Bluetooth controller on it.

What goes over the connection is HCI, as with a controller on a serial line. A program that is killed takes its
controller with it, so that its links end at once and the next program is served. This module refuses to know what a
program does with its controller.
"""

from __future__ import annotations

import asyncio

from bumble.transport.common import StreamPacketSink, StreamPacketSource

from imu.virtual.radio.controller import Controller
from imu.virtual.radio.link import RadioLink

MOST_UNREAD_BYTES = 16_384
"""A program that leaves more than this unread is sent nothing more over the air until it reads."""


class _Visitor(StreamPacketSource):
    """A program at the other end of a TCP connection."""

    def __init__(self, link: RadioLink, visitors: set[_Visitor]) -> None:
        super().__init__()
        self._link = link
        self._visitors = visitors
        self._controller: Controller | None = None
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.WriteTransport):
            raise TypeError(f"nothing can be written to {transport}")
        transport.set_write_buffer_limits(high=MOST_UNREAD_BYTES)
        self._transport = transport
        self._controller = Controller(
            "visitor", host_source=self, host_sink=StreamPacketSink(transport), link=self._link
        )
        self._visitors.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # killed or closed, it is gone
        self._visitors.discard(self)
        if self._controller is not None:
            self._controller.host = None
            self._controller.drop_links()
            self._link.remove_controller(self._controller)
        self.on_transport_lost()

    def pause_writing(self) -> None:
        if self._controller is not None:
            self._controller.congested = True

    def resume_writing(self) -> None:
        if self._controller is not None:
            self._controller.congested = False

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Door:
    """Where other processes come in."""

    def __init__(self, server: asyncio.Server, visitors: set[_Visitor]) -> None:
        self._server = server
        self._visitors = visitors

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Let nobody in any more, and put out who is there."""
        self._server.close()
        for visitor in list(self._visitors):
            visitor.close()
        await self._server.wait_closed()


async def open_door(link: RadioLink, host: str, port: int) -> Door:
    """Listen on a TCP port; 0 takes any that is free.

    Raises
    ------
    OSError
        If the port cannot be had.
    """
    visitors: set[_Visitor] = set()
    server = await asyncio.get_running_loop().create_server(lambda: _Visitor(link, visitors), host, port)
    return Door(server, visitors)
