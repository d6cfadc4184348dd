"""What one transaction does to our table. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field

from ambassador.planes.kernel import ruleset, stops
from ambassador.planes.kernel.entrance import Entrance, is_large
from ambassador.planes.kernel.ruleset import Key, Port, Way
from ambassador.planes.kernel.stops import Stop

__all__ = ["Change"]


@dataclass(slots=True)
class Change:
    """What one transaction does: it replaces ways, begins or stops counting ports, forgets refusals
    of upstreams, and stops open flows or lets them go on.
    """

    before: dict[Key, Way] = field(default_factory=dict)
    after: dict[Key, Way] = field(default_factory=dict)
    counted: list[Port] = field(default_factory=list)
    uncounted: list[Port] = field(default_factory=list)
    forgiven: list[Port] = field(default_factory=list)
    stopped: set[Stop] = field(default_factory=set)
    resumed: set[Stop] = field(default_factory=set)

    def __bool__(self) -> bool:
        changes = self.before, self.after, self.counted, self.uncounted, self.forgiven
        return any((*changes, self.stopped, self.resumed))

    @property
    def is_large(self) -> bool:
        """Whether it may need large sets of ranges."""
        return any(way.admitted and is_large(way.admitted) for way in self.after.values())

    def large_sets(self, here: Iterable[Way]) -> list[Entrance]:
        """Return an entrance for each large set that is new with it; `here`: all ways before it."""
        return ruleset.large_sets(here, self.after.values())

    def text(
        self, here: Iterable[Way], then: Iterable[Way], made: Container[str] = frozenset()
    ) -> str:
        """Return the text for nft; `here`: all ways of the table before it, `then`: after it. The
        sets of ranges in `made` exist.
        """
        first = last = ""
        if any(way.admitted for ways in (self.before, self.after) for way in ways.values()):
            first, last = ruleset.entrances(here, then, made)
        return (
            ruleset.count(self.counted)
            + first
            + ruleset.transaction(self.before, self.after, last)
            + ruleset.uncount(self.uncounted)
            + ruleset.forgive(self.forgiven)
            + stops.resumed(self.resumed)
            + stops.stopped(self.stopped)
        )
