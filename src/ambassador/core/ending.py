"""Operator actions that go on for a while: drains with a deadline, cuts at a rate. A process that
takes over from another continues them; this module writes them as JSON for it.

Times are of the loop's clock, the monotonic clock of the host, which all its processes share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ambassador.errors import ConfigError
from ambassador.model import Address, Endpoint, Proto, RouteKey
from ambassador.spec import format_address, format_endpoint, parse_endpoint, parse_listen

__all__ = ["DrainUntil", "SlowCut", "decode", "encode"]


@dataclass(frozen=True, slots=True)
class DrainUntil:
    """A drain of the endpoint at `address` of the route called `name`, over so many `seconds`."""

    key: RouteKey
    address: Address
    name: str
    began: float
    seconds: float


@dataclass(frozen=True, slots=True)
class SlowCut:
    """A cut of the sessions with these `ids`, so many a second."""

    ids: tuple[str, ...]
    rate: int


def encode(endings: Iterable[DrainUntil | SlowCut]) -> list[dict[str, Any]]:
    """Return `endings` as plain values for JSON."""
    return [_drain(one) if isinstance(one, DrainUntil) else _cut(one) for one in endings]


def _drain(one: DrainUntil) -> dict[str, Any]:
    proto, listen = one.key
    return {
        "proto": proto.value,
        "listen": format_address(listen),
        "endpoint": format_endpoint(Endpoint(one.address, proto)),
        "route": one.name,
        "began": one.began,
        "seconds": one.seconds,
    }


def _cut(one: SlowCut) -> dict[str, Any]:
    return {"ids": list(one.ids), "rate": one.rate}


def decode(written: Iterable[Mapping[str, Any]]) -> tuple[DrainUntil | SlowCut, ...]:
    """Return what `encode` has written; an entry that makes no sense is left out."""
    found: list[DrainUntil | SlowCut] = []
    try:
        for one in written:
            if "rate" in one:
                found.append(SlowCut(tuple(map(str, one["ids"])), max(1, int(one["rate"]))))
                continue
            proto = Proto(one["proto"])
            key = proto, parse_listen(one["listen"])
            address = parse_endpoint(one["endpoint"], proto=proto).address
            times = float(one["began"]), float(one["seconds"])
            found.append(DrainUntil(key, address, str(one["route"]), *times))
    except (ConfigError, LookupError, TypeError, ValueError, AttributeError):
        return ()
    return tuple(found)
