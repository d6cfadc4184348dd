"""Addresses that accept connections and reset them before they have sent a byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ambassador import log
from ambassador.core.ejection import ejects
from ambassador.planes.relay.doubts import Doubts, Place

if TYPE_CHECKING:
    from ambassador.planes.relay.evidence import Candidate
    from ambassador.planes.relay.live import LiveRoute

__all__ = ["EarlyResets", "lasted", "was_reset"]


class EarlyResets:
    """Counts such resets. `out` are the addresses that are ejected, for a growing time; after it
    one client at a time may try, until a session shows that the address works. `turned`: see
    Doubts.
    """

    def __init__(self, turned: Callable[[], None] = lambda: None) -> None:
        self.counts: dict[Place, int] = {}  # resets in a row, of addresses that have some
        self.out = Doubts(turned)

    def reset(self, place: Place, number: int, addresses: int, now: float) -> bool:
        """Note `number` early resets at `place`, of a route with so many `addresses`; tell whether
        `place` is ejected now.
        """
        count = self.counts[place] = self.counts.get(place, 0) + number
        if place in self.out:
            self.out.add(place, now)
            return False
        if not ejects(count, len(self.out), addresses):
            return False
        self.out.add(place, now)
        return True

    def good(self, place: Place) -> bool:
        """Note a session at `place` that was not reset early; tell whether `place` was ejected."""
        self.counts.pop(place, None)
        return self.out.remove(place)


def was_reset(live: LiveRoute, candidate: Candidate, now: float, number: int = 1) -> None:
    """Note that `number` sessions at `candidate` were reset early: before a byte for their clients
    came.
    """
    addresses = sum(len(live.evidence[one.address].addresses) or 1 for one in live.usable_now)
    if live.resets.reset((candidate.address, candidate.port), number, addresses, now):
        text = f"{candidate} resets sessions at once, and is left out for a while"
        live.say(log.WARNING, "endpoint_ejected", str(candidate), text)


def lasted(live: LiveRoute, candidate: Candidate) -> None:
    """Note that a session at `candidate` was not reset early."""
    if live.resets.good((candidate.address, candidate.port)):
        text = f"{candidate} carries sessions again"
        live.say(log.INFO, "endpoint_back", str(candidate), text)
