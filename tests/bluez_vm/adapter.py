"""An adapter for the kernel, on a virtual radio: BlueZ of this Linux then hears the virtual sensors.

The kernel makes an adapter of whatever speaks HCI at ``/dev/vhci``; here that is one of the controllers that the radio
has for other processes. Only inside the virtual machine: it takes root and the whole Bluetooth of the computer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from bumble.transport import open_transport
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from imu.virtual.radio import VirtualRadio

ADAPTER = "org.bluez.Adapter1"
LOOK_S = 0.1
LONGEST_WAIT_S = 60.0
"""For BlueZ to notice that an adapter has come or gone; the processor is emulated."""


@contextlib.asynccontextmanager
async def kernel_adapter(virtual: VirtualRadio) -> AsyncIterator[str]:
    """Give the kernel an adapter on a virtual radio, powered; yield its name, ``hci0`` as a rule."""
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    port = await virtual.listen("127.0.0.1", 0)
    before = await _adapters(bus)
    try:
        async with (
            await open_transport(f"tcp-client:127.0.0.1:{port}") as controller,
            await open_transport("vhci") as kernel,
        ):
            kernel.source.set_packet_sink(controller.sink)
            controller.source.set_packet_sink(kernel.sink)
            async with asyncio.timeout(LONGEST_WAIT_S):
                while not (new := await _adapters(bus) - before):
                    await asyncio.sleep(LOOK_S)
                (path,) = new
                while not await _power_on(bus, path):
                    await asyncio.sleep(LOOK_S)
            yield path.rpartition("/")[2]
        async with asyncio.timeout(LONGEST_WAIT_S):
            while path in await _adapters(bus):  # else the next test would find the adapter of this one
                await asyncio.sleep(LOOK_S)
    finally:
        bus.disconnect()
        await bus.wait_for_disconnect()


async def _adapters(bus: MessageBus) -> set[str]:
    reply = await _call(bus, "/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
    return {path for path, interfaces in reply.body[0].items() if ADAPTER in interfaces}


async def _power_on(bus: MessageBus, path: str) -> bool:
    """Switch the adapter on; return whether that has worked, for BlueZ is busy with a new one for a while."""
    powered = [ADAPTER, "Powered", Variant("b", True)]
    reply = await _call(bus, path, "org.freedesktop.DBus.Properties", "Set", "ssv", powered)
    return reply.message_type is MessageType.METHOD_RETURN


async def _call(
    bus: MessageBus, path: str, interface: str, member: str, signature: str = "", body: list[Any] | None = None
) -> Message:
    message = Message("org.bluez", path, interface, member, signature=signature, body=body or [])
    reply = await bus.call(message)
    if reply is None:
        raise ConnectionError("D-Bus does not answer")
    return reply
