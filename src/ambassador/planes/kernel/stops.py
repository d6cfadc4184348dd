"""Stop open flows to an endpoint in the transaction that takes its ways away.

To end a flow, it has to be found: a walk through conntrack's table takes 15 to 60 ms, and every
flow of a thousand its turn. Where what is written to the old endpoint meanwhile would be lost, its
clients' packets are dropped from the transaction on. What a client has sent and nobody has
acknowledged it sends again (RFC 9293, section 3.8.1): to be reset or, where the endpoint is back,
to go on.

Two sets and two rules at the head of the chain `up`, and only while something is in them: nobody
else pays for it. The kernel takes each element out after STOPPED seconds, whatever becomes of us.

Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from ambassador.planes.kernel.layout import TABLE, UP

__all__ = ["STOPPED", "Stop", "lifted", "resumed", "stopped"]

STOPPED = 3.0  # seconds: longer than it takes to end flows and to ask their peers again

_FAMILIES = (("4", "ip"), ("6", "ip6"))


class Stop(NamedTuple):
    """Flows of TCP whose clients dialled `port`, to the upstream at `address` and `upstream`."""

    port: int
    address: str
    upstream: int


def stopped(stops: Collection[Stop]) -> str:
    """Return what stops open flows from now on; those stopped before begin their time again."""
    if not stops:
        return ""
    sets = (_set(end, ip) for end, ip in _FAMILIES)
    return _text([*sets, *_anew(stops), *_elements("add", stops)]) + _up(_rules())


def resumed(stops: Collection[Stop]) -> str:
    """Return what lets open flows go on that are stopped, or were a moment ago."""
    if not stops:
        return ""
    return _text([*(_set(end, ip) for end, ip in _FAMILIES), *_anew(stops)])


def lifted() -> str:
    """Return what takes the rules away, and whatever is stopped yet."""
    there = (_set(end, ip) for end, ip in _FAMILIES)  # what is not there cannot be deleted
    return _up("") + _text([*there, *(f"delete set {TABLE} stopped{end}" for end, _ in _FAMILIES)])


def _set(end: str, ip: str) -> str:
    kind = f"typeof {ip} saddr . tcp sport . tcp dport; flags timeout; timeout {STOPPED:g}s;"
    return f"add set {TABLE} stopped{end} {{ {kind} size 65535; }}"


def _anew(stops: Collection[Stop]) -> list[str]:
    """Return what takes `stops` out, be they in or not: what is not there cannot be deleted."""
    return [*_elements("add", stops), *_elements("delete", stops)]


def _elements(verb: str, stops: Collection[Stop]) -> Iterable[str]:
    for end in "46":
        some = sorted(stop for stop in stops if (":" in stop.address) == (end == "6"))
        if some:
            listed = ", ".join(f"{one.address} . {one.upstream} . {one.port}" for one in some)
            yield f"{verb} element {TABLE} stopped{end} {{ {listed} }}"


def _rules() -> str:
    place = "ct reply {} saddr . ct reply proto-src . ct original proto-dst"
    return _text(
        f"    meta l4proto tcp {place.format(ip)} @stopped{end} drop" for end, ip in _FAMILIES
    )


def _up(first: str) -> str:
    """Return what makes the chain `up` anew, with the rules `first` before its own."""
    return f"flush chain {TABLE} up\ntable {TABLE} {{\n  chain up {{\n{first}{UP}  }}\n}}\n"


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
