"""Sharing: the trainings that run, on the screens of the local network, for as long as the owner wants.

Nothing listens on the network until the owner asks for it. Then a second server opens, over TLS with the certificate of
the phone's page, with keys of its own: one for watching, one for steering as well. They are new at each start.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any

from imu.app.web.guard import Guard, Guest, GuestsDoor, Role
from imu.errors import ExtraMissing
from imu.phone.certificate import certificate_in, server_context
from imu.phone.gate import listen, place_of
from imu.phone.link import PhoneAddress
from imu.store.home import common_home

PORT = 8767
BURST_BYTES, BYTES_PER_S = 256 << 10, 16 << 10
"""A guest's connection may send this much at once, and this much per second: requests of pages and pressed buttons."""
DEEDS = {Role.VIEW: "watch", Role.CONTROL: "watch and steer"}
INVITATION = """\
To watch the training on a phone, tablet or television, connect it to this network and open

{code}{view}

To steer it as well: {control}
The browser warns that the connection is not private, because this computer signed the certificate itself. Go on if its
SHA-256 fingerprint is {fingerprint}
Both addresses are valid until you stop sharing or end the program."""


@dataclass(frozen=True, slots=True)
class _Shared:
    door: GuestsDoor
    fingerprint: str
    stack: AsyncExitStack


class Sharing:
    """Begin and stop to share.

    Parameters
    ----------
    make : callable
        Makes the application for the guests' door.
    serve : callable
        As :func:`imu.app.web.server.serving`.
    say : callable
        Says in the terminal who has come.
    """

    def __init__(
        self,
        make: Callable[[GuestsDoor], Guard],
        serve: Callable[..., AbstractAsyncContextManager[None]],
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._make = make
        self._serve = serve
        self._say = say
        self._shared: _Shared | None = None

    @property
    def door(self) -> GuestsDoor | None:
        """The guests' door; ``None`` while nothing is shared."""
        return None if self._shared is None else self._shared.door

    async def start(self, address: str | None = None, port: int | None = None) -> None:
        """Share; without effect if it is shared already.

        Parameters
        ----------
        address : str or None
            Address to listen at; ``None`` for this computer's on the local network.
        port : int or None
            0 for any that is free; ``None`` for :data:`PORT`, or any that is free if it is in use.

        Raises
        ------
        ExtraMissing
            If a package of the extra ``share`` is not installed.
        CertificateUnusable
            If the certificate can be neither read nor written.
        """
        if self._shared is not None:
            return
        try:
            import segno  # noqa: F401, PLC0415 - an extra
        except ImportError as error:
            raise ExtraMissing('sharing needs an extra: python -m pip install "imu-training[web,share]"') from error
        async with AsyncExitStack() as stack:
            listening = stack.enter_context(listen(address, port, PORT))
            host, place = place_of(listening)
            certificate = certificate_in(common_home(), host)
            door = GuestsDoor(place)
            door.came = self._greet
            rate = BURST_BYTES, BYTES_PER_S
            await stack.enter_async_context(self._serve(self._make(door), listening, server_context(certificate), rate))
            self._shared = _Shared(door, certificate.fingerprint, stack.pop_all())

    async def stop(self) -> None:
        """Stop sharing: all guests are gone, and their keys and passes are worth nothing."""
        shared, self._shared = self._shared, None
        if shared is not None:
            for guest in tuple(shared.door.guests):
                shared.door.throw_out(guest.number)
            await shared.stack.aclose()

    def invitation(self, *, with_qr_code: bool) -> str:
        """Return what to show in a terminal."""
        if self._shared is None:
            return "nothing is shared"
        view, control = (self._address(self._shared, role) for role in (Role.VIEW, Role.CONTROL))
        code = f"{view.qr_code()}\n" if with_qr_code else ""
        return INVITATION.format(code=code, view=view.url, control=control.url, fingerprint=view.fingerprint)

    def view(self) -> dict[str, Any]:
        """Return what the owner's page shows."""
        if self._shared is None:
            return {"shared": False}
        addresses = {role: self._address(self._shared, role) for role in DEEDS}
        return {
            "shared": True,
            "addresses": [
                {"deed": DEEDS[role], "role": str(role), "url": one.url, "picture": one.picture()}
                for role, one in addresses.items()
            ],
            "fingerprint": self._shared.fingerprint,
            "guests": [
                {"number": guest.number, "name": guest.name, "deed": DEEDS[guest.role], "here": guest.sockets > 0}
                for guest in self._shared.door.guests
            ],
        }

    @staticmethod
    def _address(shared: _Shared, role: Role) -> PhoneAddress:
        return PhoneAddress(shared.door.address(role), shared.fingerprint)

    def _greet(self, guest: Guest) -> None:
        self._say(f"{guest.name} may {DEEDS[guest.role]} now.")
