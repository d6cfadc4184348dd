"""An identity in files: certificate, key and authority, in one file or in several.

One PEM file has all of it: the certificate first, then certificates between it and the authority,
the key, and the authority, which is the certificate that has signed itself. A folder may have them
as cert-manager (tls.crt, tls.key, ca.crt) or SPIFFE's helper (svid.pem, svid_key.pem,
svid_bundle.pem) writes them, and a list with commas names up to three files. A file with
authorities only is no identity, and only says what to trust.
"""

from __future__ import annotations

import os
import re
import ssl
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ambassador.core.identity import Names, names_of
from ambassador.errors import ConfigError, Problem

__all__ = ["Bundle", "files_of", "load", "on_file"]

_LARGEST = 1 << 20  # bytes of one file: a thousand certificates
_FOLDERS = (
    ("tls.crt", "tls.key", "ca.crt"),
    ("svid.pem", "svid_key.pem", "svid_bundle.pem"),
)
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s(.*?)-----END \1-----", re.DOTALL)
_PEER = re.compile(rb"^# ambassador: the other side is (\S+)\s*$", re.MULTILINE)
_EXAMPLE = "ambassador pair big-server client-server"
_FORM = "one PEM file with a certificate, its key and its authority; a folder of cert-manager or SPIFFE; or CERTIFICATE,KEY,AUTHORITY"  # noqa: E501


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was read. Times in seconds since 1970. Without a certificate it only says which
    authority to trust; without an authority, no certificate is required from the other side.
    """

    where: str
    chain: bytes = b""  # PEM: the certificate and those between it and the authority
    issuer: bytes = b""  # PEM: its issuer, where none is between and only one matches
    key: bytes = field(default=b"", repr=False)  # PEM
    authority: str = ""  # PEM
    names: Names = field(default_factory=Names)
    begins: float = 0.0
    expires: float = 0.0
    peer: str = ""  # the name of the other side, as `ambassador pair` has noted it
    exposed: tuple[str, ...] = ()  # files with the key that others may read

    @property
    def proves(self) -> bool:
        """Whether it has an identity."""
        return bool(self.chain)


def files_of(where: str) -> list[Path]:
    """Return the files that `where` means, whether or not they exist."""
    paths = [Path(one) for one in where.split(",")]
    if len(paths) == 1 and paths[0].is_dir():
        for names in _FOLDERS:
            if (paths[0] / names[0]).exists():
                return [paths[0] / name for name in names]
        return [paths[0] / name for name in _FOLDERS[0]]
    return paths


def load(where: str, source: str = "AMBASSADOR_IDENTITY") -> Bundle:
    """Return what the files at `where` contain; `source` is the setting. Raises ConfigError: a file
    that cannot be read, that is empty or makes no sense, a key that does not belong to the
    certificate.
    """
    paths = files_of(where)
    if len(paths) > 3 or not where or any(str(one) in ("", ".") for one in paths):
        raise _wrong(source, "is no identity", where)
    texts = {path: _read(path, source, optional=_is_optional(where, path)) for path in paths}
    certificates, keys, exposed = list[bytes](), list[bytes](), list[str]()
    trusted = list[bytes]()  # from a file of authorities
    for number, (path, text) in enumerate(texts.items()):
        found = _blocks(text, path, source)
        for label, block in found:
            if label == b"CERTIFICATE" and number == 2:
                trusted.append(block)
            elif label == b"CERTIFICATE":
                certificates.append(block)
            elif label.endswith(b"PRIVATE KEY"):
                if label.startswith(b"ENCRYPTED") or b"ENCRYPTED" in block:
                    raise _wrong(source, f"the key in {path} has a passphrase", where)
                keys.append(block)
                if _others_may_read(path):
                    exposed.append(str(path))
        if not found and text:
            raise _wrong(source, f"{path} holds no certificate and no key (PEM)", where)
    peer = _PEER.search(b"\n".join(texts.values()))
    bundle = _judged(where, source, certificates=certificates, trusted=trusted, keys=keys)
    return replace(
        bundle, peer=peer[1].decode(errors="replace") if peer else "", exposed=tuple(exposed)
    )


def _judged(
    where: str,
    source: str,
    *,
    certificates: Sequence[bytes],
    trusted: Sequence[bytes],
    keys: Sequence[bytes],
) -> Bundle:
    if not certificates and not trusted:
        raise _wrong(source, "there is a key and no certificate", where)
    decoded = [_decoded(one, source, where) for one in certificates]
    roots = [one for one, said in zip(certificates, decoded, strict=True) if _is_root(said)]
    of_authorities = [_decoded(one, source, where) for one in trusted]
    if len(keys) > 1:
        raise _wrong(source, "there is more than one key", where)
    if not keys:
        if len(roots) < len(certificates):
            raise _wrong(source, "there is a certificate and no key for it", where)
        return Bundle(where, authority=_text([*certificates, *trusted]))
    if not certificates:
        raise _wrong(source, "there is a key and no certificate", where)
    first = decoded[0]
    between = [one for one in certificates[1:] if one not in roots]
    others = [one for one in roots if one != certificates[0]]
    known = zip((*certificates, *trusted), (*decoded, *of_authorities), strict=True)
    issuers = {one for one, said in known if said["subject"] == first["issuer"]}
    bundle = Bundle(
        where,
        chain=b"".join([certificates[0], *between]),
        issuer=issuers.pop() if len(issuers) == 1 and not (between or _is_root(first)) else b"",
        key=keys[0],
        authority=_text([*others, *trusted]),
        names=names_of(first.get("subjectAltName", ()), _common_name(first)),
        begins=float(ssl.cert_time_to_seconds(first["notBefore"])),
        expires=float(ssl.cert_time_to_seconds(first["notAfter"])),
    )
    _try(bundle, source)
    return bundle


def _try(bundle: Bundle, source: str) -> None:
    """Raise ConfigError where OpenSSL does not accept `bundle`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        with_key(context, bundle)
    except ssl.SSLError as error:
        what = "the key does not belong to the certificate"
        if error.reason not in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
            what = f"OpenSSL does not take the certificate or its key: {error.reason or error}"
        raise _wrong(source, what, bundle.where) from None
    if bundle.authority:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cadata=bundle.authority)
        except ssl.SSLError as error:
            what = f"OpenSSL does not take the authority: {error.reason or error}"
            raise _wrong(source, what, bundle.where) from None


def with_key(context: ssl.SSLContext, bundle: Bundle) -> None:
    """Have `context` show the certificate of `bundle`. Raises ssl.SSLError."""
    # With a certificate alone, OpenSSL looks for its issuer, verifies it and sends it, all of that
    # in each handshake (SSL_CTX_set_mode(3), SSL_MODE_NO_AUTO_CHAIN): 8 % of its time.
    with on_file(bundle.chain + bundle.issuer + bundle.key) as path:
        # Without a password OpenSSL would ask the terminal for one.
        context.load_cert_chain(path, password=lambda: b"")


class on_file:  # noqa: N801 - it is used like a function
    """Has `data` at a path inside a `with` block: in memory, for functions that accept only
    paths.
    """

    def __init__(self, data: bytes) -> None:
        self._fd = os.memfd_create("identity", os.MFD_CLOEXEC)
        with open(self._fd, "wb", closefd=False) as file:
            file.write(data)

    def __enter__(self) -> str:
        return f"/proc/self/fd/{self._fd}"

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def _read(path: Path, source: str, *, optional: bool) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _wrong(source, f"{path} is not a regular file", str(path))
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except FileNotFoundError:
        if optional:
            return b""
        raise _wrong(source, f"{path} is not there", str(path)) from None
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", "") or str(error)).lower()
        raise _wrong(source, f"{path} cannot be read: {why}", str(path)) from None
    if not data.strip():
        raise _wrong(source, f"{path} is empty", str(path))
    if len(data) > _LARGEST:
        raise _wrong(source, f"{path} is larger than {_LARGEST >> 20} MiB", str(path))
    return data


def _is_optional(where: str, path: Path) -> bool:
    """Return whether the file at `path` may be missing in its folder: cert-manager does not always
    know the authority.
    """
    return Path(where).is_dir() and path.name in ("ca.crt", "svid_bundle.pem")


def _blocks(text: bytes, path: Path, source: str) -> list[tuple[bytes, bytes]]:
    found = [(match[1], match[0] + b"\n") for match in _PEM.finditer(text)]
    if text.count(b"-----BEGIN ") != len(found):
        raise _wrong(source, f"{path} is cut off, or no PEM: a BEGIN has no END", str(path))
    return [one for one in found if one[0] == b"CERTIFICATE" or one[0].endswith(b"PRIVATE KEY")]


def _decoded(certificate: bytes, source: str, where: str) -> dict[str, Any]:
    try:
        with on_file(certificate) as path:
            # What ssl.SSLSocket.getpeercert returns, here for a certificate in a file.
            found: dict[str, Any] = ssl._ssl._test_decode_cert(path)  # type: ignore[attr-defined]
    except (ssl.SSLError, ValueError) as error:
        why = str(getattr(error, "reason", "") or error).lower().replace("_", " ")
        raise _wrong(source, f"a certificate makes no sense ({why})", where) from None
    return found


def _is_root(decoded: dict[str, Any]) -> bool:
    return bool(decoded["subject"] == decoded["issuer"])


def _common_name(decoded: dict[str, Any]) -> str:
    for part in decoded.get("subject", ()):
        for key, value in part:
            if key == "commonName":
                return str(value)
    return ""


def _text(certificates: Sequence[bytes]) -> str:
    return b"".join(dict.fromkeys(certificates)).decode("ascii", "replace")


def _others_may_read(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except OSError:
        return False


def _wrong(source: str, what: str, read: str) -> ConfigError:
    return ConfigError(Problem(source, what, read, _FORM, _EXAMPLE))
