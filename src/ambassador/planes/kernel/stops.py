"""Stop open flows to an endpoint in the transaction that removes its ways.

To end a flow, it has to be found: a walk through conntrack's table takes 15 to 60 ms, and then each
of perhaps a thousand flows is ended. Where writes to the old endpoint meanwhile would be lost, the
packets of its clients are dropped from the transaction on. A client sends again what was not
acknowledged (RFC 9293, section 3.8.1): then it is reset or, if the endpoint is back, goes on.

This takes two sets, and two rules at the head of the chain `up`, which exist only while they are
needed. The kernel removes each element after STOPPED seconds, also if our process is gone.

Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from ambassador.planes.kernel.layout import TABLE, UP

__all__ = ["STOPPED", "Stop", "lifted", "resumed", "stopped"]

STOPPED = 3.0  # seconds: longer than it takes to end flows and to poke their peers again

_FAMILIES = (("4", "ip"), ("6", "ip6"))


class Stop(NamedTuple):
    """TCP flows from the listen port `port` to an upstream: its `address`, its port `upstream`."""

    port: int
    address: str
    upstream: int


def stopped(stops: Collection[Stop]) -> str:
    """Return the commands that stop open flows; the time of flows that are stopped begins again."""
    if not stops:
        return ""
    sets = (_set(end, ip) for end, ip in _FAMILIES)
    return _text([*sets, *_anew(stops), *_elements("add", stops)]) + _up(_rules())


def resumed(stops: Collection[Stop]) -> str:
    """Return the commands that let open flows go on, which may be stopped."""
    if not stops:
        return ""
    return _text([*(_set(end, ip) for end, ip in _FAMILIES), *_anew(stops)])


def lifted() -> str:
    """Return the commands that remove the rules and the sets, so that no flow is stopped."""
    there = (_set(end, ip) for end, ip in _FAMILIES)  # added first: only what exists can be deleted
    return _up("") + _text([*there, *(f"delete set {TABLE} stopped{end}" for end, _ in _FAMILIES)])


def _set(end: str, ip: str) -> str:
    kind = f"typeof {ip} saddr . tcp sport . tcp dport; flags timeout; timeout {STOPPED:g}s;"
    return f"add set {TABLE} stopped{end} {{ {kind} }}"


def _anew(stops: Collection[Stop]) -> list[str]:
    """Return the commands that remove `stops`: added first, as only what exists can be deleted."""
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
    """Return the commands that write the chain `up` anew, with the rules `first` before its own."""
    return f"flush chain {TABLE} up\ntable {TABLE} {{\n  chain up {{\n{first}{UP}  }}\n}}\n"


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
