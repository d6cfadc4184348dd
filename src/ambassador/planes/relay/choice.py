"""Which endpoint, and which of its addresses, is next for a client."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ambassador.core import pick
from ambassador.core.slow import share
from ambassador.model import Address, Endpoint, Pick, Resolve, Route
from ambassador.planes.relay.doubts import DOUBT

if TYPE_CHECKING:
    from ambassador.planes.relay.live import LiveRoute

__all__ = ["Warming", "affinity", "arrange", "choose"]


class Warming:
    """Endpoints that are warming up (`slow_start`): they came while others were there, and get
    their part of new clients little by little. Since when, by the monotonic clock.
    """

    def __init__(self) -> None:
        self.since: dict[Address, float] = {}  # empty: no endpoint is warming up

    def change(self, before: Sequence[Endpoint], now: Sequence[Endpoint], seconds: float) -> None:
        """Note which endpoints have come: `before` and `now` have the endpoints in use."""
        here = {one.address for one in now}
        known = {one.address for one in before}
        self.since = {address: at for address, at in self.since.items() if address in here}
        if seconds and known & here:
            self.since |= dict.fromkeys(here - known, time.monotonic())

    def part(self, address: Address, seconds: float) -> float:
        """Return the part (0 to 1) of its share of clients that an endpoint gets now."""
        since = self.since.get(address)
        if since is None:
            return 1.0
        found = share(time.monotonic() - since, seconds)
        if found >= 1.0:
            del self.since[address]
        return found


def affinity(route: Route, client: object) -> str:
    """Return the key for `pick=hash`: the address of `client`, which is as accept(2) or recvmsg(2)
    gives it; empty for other picks.
    """
    if route.pick is not Pick.HASH or not isinstance(client, tuple):
        return ""
    return str(client[0]).removeprefix("::ffff:")  # IPv4, as a socket of both families has it


def choose(live: LiveRoute, turn: int, now: float, client: str) -> list[Endpoint]:
    """Return every endpoint that gets new sessions, in the order to try; see LiveRoute.choose."""
    endpoints, route = live.usable_now, live.route
    evidence = [live.evidence[endpoint.address] for endpoint in endpoints]
    indexes = pick.order(
        endpoints,
        route.pick,
        turn=turn,
        places=live.places,
        open_sessions=[known.open for known in evidence],
        failed=[
            known.failed_at is not None and now < known.failed_at + DOUBT for known in evidence
        ],
        chance=random.random(),
        client=client,
    )
    found = [endpoints[index] for index in indexes]
    if live.warming.since:
        parts = {one.address: live.warming.part(one.address, route.slow_start) for one in found}
        if not live.warming.since:
            live.look_again()
        if random.random() >= parts[found[0].address]:
            other = next((one for one in found[1:] if _may_take(one, parts)), None)
            if other is not None:
                found.remove(other)
                found.insert(0, other)
    return found


def _may_take(endpoint: Endpoint, parts: dict[Address, float]) -> bool:
    """Return whether `endpoint` may get a client that an endpoint which is warming up leaves."""
    return parts[endpoint.address] >= 1.0 and not endpoint.backup


def arrange(
    live: LiveRoute, endpoint: Endpoint, addresses: Sequence[str], client: str
) -> Sequence[str]:
    """Return `addresses` of `endpoint`, the first to try first."""
    if len(addresses) == 1 or live.route.resolve is Resolve.FIRST:
        return addresses
    known = live.evidence[endpoint.address]
    known.turn += 1
    return pick.arrange(
        addresses,
        live.route.pick,
        turn=known.turn - 1,
        open_sessions=known.at,
        chance=random.random(),
        client=client,
    )
