"""What a worker has to know to connect clients of a listener to endpoints without the relay."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ambassador.core.limits import is_limited
from ambassador.model import Inet, Pick, Resolve, Route
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.refusal import refuse_ourselves
from ambassador.ports import Resolver

__all__ = ["Plain", "plain", "speaks_tls"]

_MOST_TURNS = 2000  # turns that fit into one message,
_MOST_ADDRESSES = 250  # beside so many addresses


class Plain(NamedTuple):
    """`turns`: the place for each client, one after the other; `places`: the addresses of each
    place. See worker_messages.Door.
    """

    turns: tuple[int, ...]
    places: tuple[tuple[Candidate, ...], ...]
    random: bool
    alternatives: bool


def plain(
    live: LiveRoute, port: int, resolver: Resolver, is_own: Callable[[str, int], bool]
) -> Plain | None:
    """Return where clients of a listener of `live` at `port` (0: a path) are led to. None where the
    relay has to look at each client: the route lets in only some clients, limits them or is held;
    an endpoint is in doubt or still warming up; a name is not resolved; the source address is
    chosen; a PROXY header is read or sent; TLS is spoken; or the choice of an endpoint depends on
    the client, or on the sessions of all processes.
    """
    route, usable = live.route, live.usable_now
    least = route.pick in (Pick.LEAST, Pick.HASH) and len(usable) > 1
    each = route.admitted is not None or is_limited(route) or route.hold is not None
    each = each or bool(route.source or route.proxy or live.warming.since) or speaks_tls(route)
    each = each or any(one.proxy for one in usable)
    if each or live.in_doubt or not usable or least:
        return None
    places = []
    count = 0
    for place, endpoint in enumerate(usable):
        addresses = live.known(endpoint, resolver)
        if not addresses:
            return None
        count += len(addresses)
        # Addresses of the other family lead to the same hosts (see pick.arrange).
        family = [one for one in addresses if (":" in one) == (":" in addresses[0])]
        one = route.pick is Pick.FIRST or route.resolve is Resolve.FIRST
        if one or not isinstance(endpoint.address, Inet):
            family = family[:1]
        places.append(tuple(live.candidate(place, port, address) for address in family))
    if route.pick in (Pick.LEAST, Pick.HASH) and len(places[0]) > 1:
        return None
    try:
        for candidate in (one for some in places for one in some):
            refuse_ourselves(candidate, is_own)
    except OSError:
        return None
    backups = [endpoint.backup for endpoint in usable]
    turns = _turns(live.places if route.pick is not Pick.FIRST else range(len(usable)), backups)
    if route.pick is Pick.FIRST:
        turns = turns[:1]
    if len(turns) > _MOST_TURNS or count > _MOST_ADDRESSES:
        return None
    return Plain(turns, tuple(places), route.pick is Pick.RANDOM, count > 1)


def speaks_tls(route: Route) -> bool:
    """Return whether a side of its sessions may speak TLS: such a session stays in its process."""
    return route.tls is not None or any(one.tls is not None for one in route.endpoints)


def _turns(cycle: tuple[int, ...] | range, backups: list[bool]) -> tuple[int, ...]:
    """Return `cycle` with each backup replaced by the next endpoint that is none, unless all are
    backups.
    """
    if all(backups) or not any(backups):
        return tuple(cycle)
    found = list(cycle)
    following = next(place for place in cycle if not backups[place])
    for number in range(len(found) - 1, -1, -1):
        if backups[found[number]]:
            found[number] = following
        else:
            following = found[number]
    return tuple(found)
