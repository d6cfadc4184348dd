"""The text of the addresses of this host from which endpoints are connected to."""

from __future__ import annotations

from ambassador.spec.address import is_ip
from ambassador.spec.text import Malformed, shown, told

__all__ = ["format_sources", "parse_sources"]

_EXPECTED = "IP addresses of this host, with commas between them, or auto"
_EXAMPLE = "10.0.0.5,10.0.0.6"


def parse_sources(text: str, where: str = "source") -> tuple[str, ...]:
    """Return the IP literals of `10.0.0.5,10.0.0.6`, brackets or not; none for `auto`.

    Raises ConfigError.
    """
    return told(where, text, _read)


def format_sources(sources: tuple[str, ...]) -> str:
    """Return `sources` as they are written; inverse of `parse_sources`."""
    return ",".join(sources) or "auto"


def _read(text: str) -> tuple[str, ...]:
    if text == "auto":
        return ()
    found: list[str] = []
    for part in text.split(","):
        bracketed = part.startswith("[") and part.endswith("]")
        address = part[1:-1] if bracketed else part
        if not is_ip(address):
            what = f'"{shown(part)}" is not an IP address' if part else "an address is missing"
            raise Malformed(what, _EXPECTED, _EXAMPLE)
        if address in found:
            raise Malformed(f"{address} is given twice", _EXPECTED, ",".join(found))
        found.append(address)
    return tuple(found)
