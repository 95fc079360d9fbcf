"""The certificate of this computer's own pages on the local network: made once, kept readable by its owner only.

A browser gives motion sensors to HTTPS pages only. No authority signs certificates for addresses like 192.168.1.20, so
the certificate is self-signed: the phone warns once, and the person compares the fingerprint that `imu` shows.
"""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from imu.atomic_files import write_bytes
from imu.errors import ExtraMissing, FileThere, ImuError, NotWritten

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
    try:
        from cryptography import x509  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ExtraMissing('a phone needs HTTPS: python -m pip install "imu-training[share]"') from error
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
