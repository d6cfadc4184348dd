"""Follows members that say themselves whether they are the primary: all are asked at once, each on
a connection that is kept; a rule of `core.follow` decides what their answers mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ambassador.core.follow.claims import Finding, Place
from ambassador.core.follow.memory import Memory
from ambassador.follow.asking import Asker, Asking
from ambassador.follow.base import Report, terms
from ambassador.follow.claimants import ClaimantsFollower
from ambassador.follow.talk import Terms
from ambassador.model import Failback, Inet, Route
from ambassador.ports import Resolver
from ambassador.spec import format_address

__all__ = ["MembersFollower", "Rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """How one kind of store is followed: `asker` makes the Asker of a place; `look` decides what
    the answers mean (see `core.follow.lineage.look`).
    """

    look: Callable[..., Finding | None]
    asker: Callable[[Place, Terms, Callable[[], None]], Asker]


class MembersFollower(ClaimantsFollower):
    """Leads `route` by `rule`; see base.Follower. Raises Silence where TLS cannot be used."""

    def __init__(
        self, route: Route, resolver: Resolver, report: Report, memory: Memory | None, rule: Rule
    ) -> None:
        found = terms(route.user, route.password_file, route.health_tls)
        super().__init__(route, resolver, report, memory)
        self._rule = rule
        asker = partial(_asker, rule, found)
        self._asking = Asking(asker, self._news.set, self._pause)

    def close(self) -> None:
        """Stop following."""
        super().close()
        self._asking.close()

    @property
    def asked(self) -> tuple[int, int]:
        """How many members answer, and how many there are."""
        return self._asking.asked

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong."""
        words = self._asking.words.items()
        found = [f"{format_address(Inet(*place))}: {word}" for place, word in words if word]
        return (*found, *super().problems)

    async def _look_where(self) -> bool:
        written = [one.address for one in self._route.endpoints if isinstance(one.address, Inet)]
        wanted, whole = await self._places(written)
        self._asking.among(wanted, whole=whole)
        return bool(wanted)

    def _look(self) -> Finding | None:
        place = self.state.place
        gone = place is not None and self._asking.gone(place, self._route.fall)
        auto = self._route.failback is Failback.AUTO
        return self._rule.look(self.state, self._asking.facts, gone=gone, auto=auto)


def _asker(rule: Rule, found: Terms, place: Place, hung_up: Callable[[], None]) -> Asker:
    return rule.asker(place, found, hung_up)
