"""A private authority, and the bundles of the two sides that trust it, for `ambassador pair`.

ECDSA on P-256. The authority's key stays in the folder where it was made and signs only bundles; a
bundle has the certificate, its key and the authority's certificate. The cryptography is that of the
package `cryptography`, which nothing else imports: 60 ms and 9 MB.
"""

from __future__ import annotations

import datetime
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["AUTHORITY", "Authority", "Member", "read_member", "write"]

AUTHORITY = "ambassador-authority.pem"
_YEARS = 10  # of the authority
# If the clock of the other side is slow, a new certificate must not seem to start in the future.
_BEHIND = datetime.timedelta(minutes=10)
_PEER = "# ambassador: the other side is "


@dataclass(frozen=True, slots=True)
class Member:
    """One side: its name, its other addresses and names, and the name of the other side."""

    name: str
    others: tuple[str, ...] = ()
    peer: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All names in its certificate."""
        return tuple(dict.fromkeys((self.name, *self.others)))


class Authority:
    """Signs bundles."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self.certificate = certificate

    @classmethod
    def make(cls, name: str) -> Authority:
        """Return a new authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BEHIND)
            .not_valid_after(now + datetime.timedelta(days=365 * _YEARS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(identifier, critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    @classmethod
    def read(cls, path: Path) -> Authority:
        """Return the authority in the file at `path`. Raises OSError, ValueError."""
        data = path.read_bytes()
        key = serialization.load_pem_private_key(data, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("its key is not one of an elliptic curve")
        certificate = x509.load_pem_x509_certificate(data)
        if certificate.public_key() != key.public_key():
            raise ValueError("its key does not belong to its certificate")
        return cls(key, certificate)

    def encode(self) -> bytes:
        """Return the text that `read` reads."""
        return _certificate(self.certificate) + _key(self._key)

    def has_signed(self, certificate: x509.Certificate) -> bool:
        """Tell whether this authority has signed `certificate`."""
        try:
            certificate.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True

    def bundle(self, member: Member, days: float, now: datetime.datetime | None = None) -> bytes:
        """Return the bundle of `member`, valid for so many days from `now` on, and no longer than
        the authority.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = now or datetime.datetime.now(datetime.UTC)
        until = min(now + datetime.timedelta(days=days), self.certificate.not_valid_after_utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, member.name)]))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BEHIND)
            .not_valid_after(until)
            .add_extension(
                x509.SubjectAlternativeName([_alternative(name) for name in member.names]),
                critical=False,
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        head = f"# ambassador: this is {member.name}, until {until:%Y-%m-%d}\n"
        if member.peer:
            head += f"{_PEER}{member.peer}\n"
        parts = (_certificate(certificate), _key(key), _certificate(self.certificate))
        return head.encode() + b"".join(parts)


def read_member(path: Path) -> tuple[Member, x509.Certificate]:
    """Return the member whose bundle is at `path`, and its certificate. Raises OSError,
    ValueError.
    """
    data = path.read_bytes()
    certificate = x509.load_pem_x509_certificate(data)
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise ValueError("its certificate has no names") from None
    names = [str(one.value) for one in found]
    if not names:
        raise ValueError("its certificate has no names")
    lines = data.decode(errors="replace").splitlines()
    peers = [line.removeprefix(_PEER).strip() for line in lines if line.startswith(_PEER)]
    return Member(names[0], tuple(names[1:]), peers[0] if peers else ""), certificate


def write(path: Path, data: bytes) -> None:
    """Write `data` to `path`, readable by its owner alone. An existing file is written into: a file
    that is mounted into a container stays mounted, and its readers can read the new text. Until
    that is complete, a copy is beside it. Raises OSError.
    """
    fd, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # mode 0600
    beside = Path(name)
    try:
        with open(fd, "wb") as file:  # noqa: PTH123 (a descriptor)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if not path.exists():
            beside.replace(path)
            return
        with path.open("r+b") as file:
            file.write(data)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
    finally:
        beside.unlink(missing_ok=True)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    if "://" in name:
        return x509.UniformResourceIdentifier(name)
    return x509.DNSName(name)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _certificate(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def members_in(folder: Path) -> Sequence[Path]:
    """Return what may be bundles in `folder`."""
    return sorted(one for one in folder.glob("*.pem") if one.name != AUTHORITY)
