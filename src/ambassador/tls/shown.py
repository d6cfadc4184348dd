"""The contents of the other side's certificate: parsed once for each certificate, not for each
connection.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ambassador.core.identity import Names, names_of

__all__ = ["NOBODY", "Shown", "shown_by"]

_MOST = 512  # certificates that are kept


@dataclass(frozen=True, slots=True)
class Shown:
    """The names of a certificate that was verified, and when it ends, in seconds since 1970."""

    names: Names
    until: float


NOBODY = Shown(Names(), float("inf"))
_known: dict[bytes, Shown] = {}  # by the certificate itself (DER)


def shown_by(raw: Any) -> Shown:
    """Return the certificate that the other side has shown to `raw`, the object of OpenSSL that an
    SSLObject wraps; NOBODY where it is not verified.
    """
    certificate: bytes | None = raw.getpeercert(True)
    if certificate is None or raw.context.verify_mode is ssl.CERT_NONE:
        return NOBODY
    found = _known.get(certificate)
    if found is None:
        found = _read(raw.getpeercert() or {})
        if len(_known) >= _MOST:
            del _known[next(iter(_known))]
        _known[certificate] = found
    return found


def _read(decoded: dict[str, Any]) -> Shown:
    subject = [
        value
        for part in _pairs(decoded.get("subject", ()))
        for key, value in part
        if key == "commonName"
    ]
    names = [(one[0], one[1]) for one in _pairs(decoded.get("subjectAltName", ()))]
    until = decoded.get("notAfter")
    end = float(ssl.cert_time_to_seconds(until)) if isinstance(until, str) else float("inf")
    return Shown(names_of(names, subject[0] if subject else ""), end)


def _pairs(found: Any) -> Sequence[Any]:
    return found if isinstance(found, tuple) else ()
