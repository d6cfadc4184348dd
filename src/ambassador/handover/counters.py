"""What routes have carried, as flat numbers by name, which can be added up and written as text.

opened, refused, held_total, to_upstream, to_client, "closed REASON", "ways_out KIND",
"turned_away REASON",
"met_opened ENDPOINT", "met_to_upstream ENDPOINT", ...                  counters
open, "open ENDPOINT"                                                   of this moment
"kernel NAME"       a counter of rules that only a successor with a kernel plane takes over
"ended NAME"        what is counted at the end of a session; see transfer.py
"""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ambassador.errors import PlaneError, RunError, in_words
from ambassador.model import Address, Endpoint, Proto, Reason, Route, RouteKey
from ambassador.ports import EndpointMet, Plane, RouteStatus
from ambassador.spec import format_address, format_endpoint, parse_endpoint, parse_listen

__all__ = [
    "Counters",
    "HandedCounters",
    "KernelCounters",
    "RouteCounters",
    "add",
    "counters_of",
    "lasting",
    "status_of",
]

RouteCounters = Mapping[str, float]
Counters = dict[RouteKey, dict[str, float]]

_COUNTERS = ("opened", "refused", "held_total", "to_upstream", "to_client")
_MET = ("opened", "to_upstream", "to_client", "failures")
_WAYS_OUT = "ways_out "
_KERNEL = "kernel "


def counters_of(status: RouteStatus) -> dict[str, float]:
    """Return the counters of one route."""
    found: dict[str, float] = {name: getattr(status, name) for name in (*_COUNTERS, "open")}
    found |= {f"closed {reason}": count for reason, count in status.closed.items()}
    found |= {f"turned_away {reason}": count for reason, count in status.turned_away.items()}
    found |= {f"{_WAYS_OUT}{kind}": count for kind, count in status.ways_out.items()}

    def url(address: Address) -> str:
        return format_endpoint(Endpoint(address, status.route.proto))

    found |= {f"open {url(address)}": count for address, count in status.open_by_endpoint.items()}
    for address, met in status.met.items():
        found |= {f"met_{name} {url(address)}": getattr(met, name) for name in _MET}
    return {name: value for name, value in found.items() if value}


def status_of(route: Route, counters: RouteCounters) -> RouteStatus:
    """Return what `counters` say of `route`, in the form of a plane's status."""

    def number(name: str) -> int:
        return int(counters.get(name, 0))

    return RouteStatus(
        route,
        plane="",
        why="",
        opened=number("opened"),
        open=number("open"),
        refused=number("refused"),
        to_upstream=number("to_upstream"),
        to_client=number("to_client"),
        held_total=number("held_total"),
        closed={reason: count for reason in Reason if (count := number(f"closed {reason}"))},
        turned_away={
            reason: count for reason in Reason if (count := number(f"turned_away {reason}"))
        },
        ways_out=_under(_WAYS_OUT, counters),
        open_by_endpoint=_by_address("open ", route, counters),
        met=_met(route, counters),
    )


def _under(prefix: str, counters: RouteCounters) -> dict[str, int]:
    return {
        name.removeprefix(prefix): int(count)
        for name, count in counters.items()
        if name.startswith(prefix)
    }


def _by_address(prefix: str, route: Route, counters: RouteCounters) -> dict[Address, int]:
    return {
        parse_endpoint(url, proto=route.proto).address: count
        for url, count in _under(prefix, counters).items()
    }


def _met(route: Route, counters: RouteCounters) -> dict[Address, EndpointMet]:
    found = {name: _by_address(f"met_{name} ", route, counters) for name in _MET}
    return {
        address: EndpointMet(
            opened=found["opened"].get(address, 0),
            to_upstream=found["to_upstream"].get(address, 0),
            to_client=found["to_client"].get(address, 0),
            failures=found["failures"].get(address, 0),
        )
        for address in dict.fromkeys(address for one in found.values() for address in one)
    }


def lasting(counters: RouteCounters) -> dict[str, float]:
    """Return the part of `counters` that counts on after their process has ended, without the
    numbers of one moment.
    """
    return {
        name: value
        for name, value in counters.items()
        if name != "open" and not name.startswith("open ")
    }


def add(counters: Counters, more: Mapping[RouteKey, RouteCounters]) -> None:
    """Add `more` to `counters`."""
    for key, others in more.items():
        mine = counters.setdefault(key, {})
        for name, value in others.items():
            mine[name] = mine.get(name, 0) + value


class KernelCounters:
    """Implements ports.Transferable: the counters of `plane` (if there is one), read before its
    rules pass to the successor; no socket goes with them.
    """

    def __init__(self, plane: Plane | None) -> None:
        self.counters: Counters = {}
        self._plane = plane

    async def lend(self) -> Sequence[socket.socket]:
        """Read the counters; see ports.Transferable."""
        if self._plane is None:
            return []
        with suppress(PlaneError):
            await self._plane.measure()
        self.counters = {
            one.route.key: {
                # Rules go on with their counts; all other counts end with our process.
                name if name.startswith(_WAYS_OUT) else f"{_KERNEL}{name}": value
                for name, value in lasting(counters_of(one)).items()
            }
            for one in self._plane.status()
        }
        return []

    def pause(self) -> None:
        """Do nothing: nothing is accepted here; see ports.Transferable."""

    async def take_back(self) -> None:
        """Do nothing: nothing was lent; see ports.Transferable."""

    def give_up(self) -> None:
        """Do nothing: the counters that were read stay valid; see ports.Transferable."""


@dataclass(slots=True)
class HandedCounters:
    """All counters that a successor gets: of processes that have ended, of its predecessor, and of
    each process before that one, as they were last known.
    """

    past: Counters = field(default_factory=dict)
    live: Counters = field(default_factory=dict)
    earlier: list[Counters] = field(default_factory=list)

    def encode(self) -> bytes:
        """Return them as text."""
        earlier = [_plain(one) for one in self.earlier]
        return json.dumps([_plain(self.past), _plain(self.live), earlier]).encode()

    @classmethod
    def decode(cls, text: bytes, *, kernel: bool) -> HandedCounters:
        """Return what `encode` made, for a successor with a kernel plane or without one.

        Raises RunError.
        """
        try:
            gone, live, earlier = json.loads(text)
            settled = _settled(_counters(gone), kernel=kernel)
            return cls(settled, _counters(live), [_counters(one) for one in earlier])
        except Exception as error:  # a text from outside may cause any error
            raise RunError(
                f"counters of an earlier process make no sense: {in_words(error)}"
            ) from error


def _settled(counters: Counters, *, kernel: bool) -> Counters:
    """Return `counters` with those of rules added to the others, unless the rules go on."""
    for mine in counters.values():
        for name in [name for name in mine if name.startswith(_KERNEL)]:
            value = mine.pop(name)
            if not kernel:
                plain = name.removeprefix(_KERNEL)
                mine[plain] = mine.get(plain, 0) + value
    return counters


def _plain(counters: Counters) -> dict[str, RouteCounters]:
    return {f"{proto} {format_address(at)}": mine for (proto, at), mine in counters.items()}


def _counters(plain: Mapping[str, Mapping[str, float]]) -> Counters:
    found: Counters = {}
    for text, mine in plain.items():
        proto, _, listen = text.partition(" ")
        key = Proto(proto), parse_listen(listen)
        found[key] = {str(name): _number(value) for name, value in mine.items()}
        status_of(Route("", key[1], (), key[0]), found[key])  # checks that the text makes sense
    return found


def _number(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} is no counter")
    return float(value)
