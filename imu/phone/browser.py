"""The server that a phone opens: one page and one socket, over HTTPS, behind a key that is new at each start.

A guest of the same network who has no key sees that something listens, and reads one page that says so. A phone with
the key sends motion to this training. Nothing can be read or steered here. imu/app/README.md has the limits in one
table.

The server is small on purpose. `websockets` parses requests and frames (its part without input and output), asyncio
carries bytes and TLS, :mod:`imu.phone.gate` limits connections, and this file decides who may come in: before an answer
by key, ``Host`` and ``Origin``, and afterwards by size, rate and silence.
"""

from __future__ import annotations

import asyncio
import datetime
import hmac
import ipaddress
import logging
import secrets
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imu.atomic_files import write_bytes
from imu.errors import FileThere, ImuError, NotWritten, needs_extra
from imu.phone import LARGEST_MESSAGE, NUMBERS, PhoneAddress, PhoneLink
from imu.phone.gate import CLOSE_S, HEADER_S, NO_KEY, Allowance, Connection, Gate, listen, pieces, place_of
from imu.sensors.phone import BATCH, HEAD, HELLO, NAME_BYTES, REFUSED

if TYPE_CHECKING:
    from websockets.http11 import Request, Response

PORT = 8766
KINDS = {0: HELLO, 1: BATCH}
"""First byte of a message of the page, and what follows it."""
SILENT_S = 15.0
"""A connected page sends several times a second. After this silence the connection counts as lost."""
BURST_BYTES, BYTES_PER_S = 4 << 20, 512 << 10
"""A phone may send this much at once, and this much per second. At 60 Hz it sends 2 kB per second."""
BURST_FRAMES, FRAMES_PER_S = 500, 200
"""Frames or messages of the phone of a training, over all its connections. A page sends 25 per second at most, and 12
more after a lost connection; each takes up to a millisecond from the other trainings."""
MOST_UNREAD_BYTES = 64 << 10
"""A page that leaves this much unread is disconnected."""
TAKEN = 4001
"""Code with which the socket of a phone that is refused is closed."""
NO_HELLO = "This page is of another version of imu: load it again."

NOTHING = 404, "text/html", NO_KEY
"""The answer without the key, or to anything that is wrong."""

INVITATION = """\
Connect the phone to the same network as this computer, and open this address with its camera or browser:

{code}{url}

The browser warns that the connection is not private: this computer has signed the certificate itself, because no
authority signs certificates for a home network. Go on if the certificate's SHA-256 fingerprint is the one below.
  iPhone, Safari: Show Details, then "visit this website".   Android, Chrome: Advanced, then "Proceed".
  {fingerprint}

The address is valid for this training only. Waiting for the phone; Ctrl-C ends."""

_SILENT = logging.getLogger("imu.phone.websockets")
_SILENT.setLevel(logging.CRITICAL + 1)  # requests hold the key


@asynccontextmanager
async def phone_server(
    link: PhoneLink, folder: Path, *, address: str | None = None, port: int | None = None
) -> AsyncIterator[PhoneAddress]:
    """Serve the page while the context is open.

    Parameters
    ----------
    link : PhoneLink
        Receives what the phone sends.
    folder : Path
        Where the certificate is kept.
    address : str or None
        Address to listen at; ``None`` for this computer's on the local network.
    port : int or None
        0 for any that is free; ``None`` for :data:`PORT`, or any that is free if another phone trains there.

    Raises
    ------
    ExtraMissing
        If a package of the extra ``share`` is not installed.
    CertificateUnusable
        If the certificate can be neither read nor written.
    PortTaken
        If the port is in use.
    """
    with needs_extra("share", "a phone needs a page"):
        import segno  # noqa: F401, PLC0415 - an extra
        import websockets.server  # noqa: F401, PLC0415 - an extra
    with listen(address, port, PORT) as listening:
        host, place = place_of(listening)
        certificate = certificate_in(folder, host)
        site = _Site(link, secrets.token_urlsafe(16), place)
        gate = Gate(lambda line: _Phone(site, line), server_context(certificate), (BURST_BYTES, BYTES_PER_S))
        async with gate.open(listening):
            yield PhoneAddress(f"https://{place}/{site.key}/", certificate.fingerprint, INVITATION)


class _Site:
    """The state that all connections of one server share.

    Parameters
    ----------
    link : PhoneLink
        Receives what the phone sends.
    key : str
        First part of each path.
    place : str
        Host and port as printed.
    """

    def __init__(self, link: PhoneLink, key: str, place: str) -> None:
        self.link = link
        self.key = key
        self.place = place
        self.phone: _Phone | None = None  # the one that sends motion
        self.frames = Allowance(BURST_FRAMES, FRAMES_PER_S)

    def take_phone(self, phone: _Phone) -> None:
        """Let a connection send motion, in place of an older one of the same phone."""
        older, self.phone = self.phone, phone
        if older is not None:
            older.abort()

    def answer(self, request: Request) -> tuple[int, str, str] | None:
        """Return status, media type and text of the answer to a request; ``None`` to open the socket.

        Whatever is wrong, the answer is the same page.
        """
        parts = request.path.split("/")
        is_key = len(parts) == 3 and hmac.compare_digest(parts[1].encode(errors="replace"), self.key.encode())
        origins = request.headers.get_all("Origin")
        is_ours = request.headers.get_all("Host") == [self.place] and origins in ([], [f"https://{self.place}"])
        if not is_key or not is_ours or request.method != "GET":
            return NOTHING
        match parts[2]:
            case "":
                return 200, "text/html", _file("page.html")
            case "page.js":
                return 200, "text/javascript", _file("page.js")
            case "motion" if origins:
                return None
        return NOTHING

    @property
    def headers(self) -> dict[str, str]:
        """The headers of each answer."""
        return {
            "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; "
            f"img-src data:; connect-src 'self' wss://{self.place}; frame-ancestors 'none'; base-uri 'none'; "
            "form-action 'none'",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
            "Permissions-Policy": "accelerometer=(self), gyroscope=(self), screen-wake-lock=(self)",
        }


class _Phone(asyncio.Protocol):
    """One connection: a request with its answer, or the socket of a phone."""

    def __init__(self, site: _Site, line: Connection) -> None:
        from websockets.server import ServerProtocol  # noqa: PLC0415 - an extra

        self._site = site
        self._line = line
        self._http = ServerProtocol(max_size=LARGEST_MESSAGE, logger=_SILENT)
        self._is_asked = False
        self._message = bytearray()  # of fragments

    def connection_made(self, transport: Any) -> None:
        """Begin after the TLS handshake."""
        self._transport: asyncio.Transport = transport
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.call_later(HEADER_S, self.abort)  # until the page's hello

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - no cause is of interest
        """End."""
        self._end.cancel()
        if self._site.phone is self:
            self._site.phone = None
        self._site.link.disconnect(self.send)

    def abort(self) -> None:
        """End the connection at once; `connection_lost` follows."""
        self._transport.abort()

    def send(self, payload: bytes) -> None:
        """Send a binary message to the page."""
        from websockets.protocol import State  # noqa: PLC0415 - an extra

        if self._http.state is State.OPEN and not self._transport.is_closing():
            self._http.send_binary(payload)
            self._write()

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        for piece in pieces(data):
            if not self._transport.is_closing():
                self._take_bytes(piece)

    def _take_bytes(self, data: bytes) -> None:
        from websockets.http11 import Request  # noqa: PLC0415 - an extra

        self._http.receive_data(data)
        if self._http.handshake_exc is not None and not self._is_asked:  # no request: the same page as to any other
            self._http.data_to_send()
            self._transport.write(self._response(*NOTHING).serialize())
        for event in self._http.events_received():
            if self._http.close_expected():
                break  # bytes after a refusal are not answered
            if isinstance(event, Request):
                self._answer(event)
            elif self._site.frames.take():
                self._take_frame(event)
            else:
                self.abort()
                return
        self._write()

    def _write(self) -> None:
        """Write the bytes that are due; end the connection after the last one."""
        for data in self._http.data_to_send():
            if data:
                self._transport.write(data)
        if self._transport.get_write_buffer_size() > MOST_UNREAD_BYTES:
            self.abort()
        elif self._http.close_expected() and not self._transport.is_closing():
            self._end.cancel()
            self._end = self._loop.call_later(CLOSE_S, self.abort)
            self._transport.close()

    def _answer(self, request: Request) -> None:
        self._is_asked = True
        answer = self._site.answer(request)
        if answer != NOTHING:
            self._line.admit()
        if answer is None:
            self._http.send_response(self._http.accept(request))
            return
        self._http.send_response(self._response(*answer))

    def _response(self, status: int, media_type: str, text: str) -> Response:
        response: Response = self._http.reject(status, text)
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = f"{media_type}; charset=utf-8"
        response.headers.update(self._site.headers)
        return response

    def _take_frame(self, frame: Any) -> None:
        """Take a frame of the socket; `websockets` answers pings and closes by itself."""
        from websockets.frames import CloseCode, Opcode  # noqa: PLC0415 - an extra

        if frame.opcode is Opcode.TEXT:
            self._http.fail(CloseCode.UNSUPPORTED_DATA)
        elif frame.opcode in (Opcode.BINARY, Opcode.CONT):
            self._message += frame.data
            if frame.fin:
                message = bytes(self._message)
                self._message.clear()
                self._take_message(message)

    def _take_message(self, message: bytes) -> None:
        link, what = self._site.link, KINDS.get(message[0]) if message else None
        if self._site.phone is not self:
            name = message[1 + HEAD.size : 1 + HEAD.size + NAME_BYTES]
            is_hello = what == HELLO and len(name) == NAME_BYTES
            if (refusal := link.refusal(name) if is_hello else NO_HELLO) is not None:
                self._http.send_binary(bytes([NUMBERS[REFUSED]]) + refusal.encode())
                self._http.send_close(TAKEN)
                return
            self._site.take_phone(self)
            link.connect(self.send, name)
        if what is not None:
            link.hear(self.send, what, message[1:])
        self._end.cancel()
        self._end = self._loop.call_later(SILENT_S, self.abort)


def _file(name: str) -> str:
    return files("imu.phone").joinpath(name).read_text(encoding="utf-8")


# --- the certificate -------------------------------------------------------------------------------------------------
#
# Made once, and kept readable by its owner only. A browser gives motion sensors to HTTPS pages only. No authority signs
# certificates for addresses like 192.168.1.20, so this one is self-signed: the phone warns once, and the person
# compares the fingerprint that `imu` shows.

CERTIFICATE = "page_certificate.pem"
"""Private key and certificate in one file, so that they always belong together."""
VALID_DAYS = 397
"""Safari accepts no certificate that is valid for longer than 398 days."""
RENEW_DAYS = 30
"""A certificate that ends sooner is made again."""


class CertificateUnusable(ImuError):
    """The certificate can be neither read nor written; the sentence says where."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The file of certificate and private key, and the SHA-256 fingerprint as browsers show it."""

    path: Path
    fingerprint: str


def certificate_in(folder: Path, address: str) -> Certificate:
    """Return the certificate kept in `folder`; make one for `address` if it is missing or ends soon.

    Raises
    ------
    ExtraMissing
        If `cryptography` is not installed.
    CertificateUnusable
        If it can be neither read nor written.
    """
    with needs_extra("share", "a phone needs HTTPS"):
        from cryptography import x509  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - an extra
    path = folder / CERTIFICATE
    try:
        if not _holds_for(path, address):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_bytes(path, _made_for(address), overwrite=True, mode=0o600)
        digest = x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(hashes.SHA256())
    except (OSError, ValueError, FileThere, NotWritten) as error:
        raise CertificateUnusable(
            f"{path} can be neither read nor written ({error}): allow that, or remove the file"
        ) from error
    return Certificate(path, ":".join(f"{byte:02X}" for byte in digest))


def server_context(certificate: Certificate) -> ssl.SSLContext:
    """Return the TLS settings of a server with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate.path)
    return context


def _holds_for(path: Path, address: str) -> bool:
    """Return whether key and certificate are at `path`, and it names the address and does not end soon."""
    from cryptography import x509  # noqa: PLC0415 - an extra

    if not path.exists():
        return False
    try:
        server_context(Certificate(path, ""))
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ssl.SSLError, ValueError, x509.ExtensionNotFound):
        return False
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=RENEW_DAYS)
    addresses = names.get_values_for_type(x509.IPAddress)
    return certificate.not_valid_after_utc > soon and ipaddress.ip_address(address) in addresses


def _made_for(address: str) -> bytes:
    """Return a new private key and its certificate, PEM: ECDSA on P-256, for the address, this host and localhost."""
    from cryptography import x509  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    host = "".join(one for one in socket.gethostname() if one.isascii() and (one.isalnum() or one == "-"))
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in ("localhost", f"{host or 'imu'}.local")]
    names += [x509.IPAddress(ipaddress.ip_address(one)) for one in sorted({address, "127.0.0.1"})]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "imu on this computer")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)
