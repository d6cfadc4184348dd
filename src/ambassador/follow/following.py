"""The followers of all routes that follow a primary; they start and end with their routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ambassador import log
from ambassador.core.follow import lineage, readonly, timeline
from ambassador.core.follow.memory import Memories, Memory
from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute, Step
from ambassador.follow.base import Follower, Report
from ambassador.follow.channel import Silence
from ambassador.follow.members import MembersFollower, Rule
from ambassador.follow.mysql import MysqlAsker
from ambassador.follow.patronis import PatroniFollower
from ambassador.follow.postgres import PostgresAsker
from ambassador.follow.redis import RedisAsker
from ambassador.follow.sentinels import SentinelFollower
from ambassador.model import Route, RouteKey
from ambassador.ports import LeadReported, Resolver

__all__ = ["RULES", "Following"]


RULES: Mapping[str, Rule] = {
    "redis-primary": Rule(lineage.look, RedisAsker),
    "postgres-primary": Rule(timeline.look, PostgresAsker),
    "mysql-primary": Rule(readonly.look, MysqlAsker),
}
_AUTHORITIES: Mapping[str, Callable[[Route, Resolver, Report, Memory | None], Follower]] = {
    "sentinel": SentinelFollower,
    "patroni": PatroniFollower,
}


class Following:
    """`change` says which routes there are, `close` ends all followers; `memories` is what was
    remembered of each route.
    """

    def __init__(self, resolver: Resolver, report: LeadReported, memories: Memories) -> None:
        self._resolver = resolver
        self._report = report
        self._memories = memories
        self._followers: dict[RouteKey, tuple[Route, Follower]] = {}

    def change(self, steps: Sequence[Step]) -> None:
        """Follow for the routes as they are after `steps`."""
        for step in steps:
            match step:
                case RemoveRoute(route):
                    self._end(route.key)
                case AddRoute(route) | ChangeRoute(new=route):
                    self._begin(route)

    def close(self) -> None:
        """Stop following."""
        for key in list(self._followers):
            self._end(key)

    def asked(self, key: RouteKey) -> tuple[int, int, tuple[str, ...]]:
        """Return how many members answer, how many there are, and what is wrong."""
        if key not in self._followers:
            return 0, 0, ()
        _, follower = self._followers[key]
        return *follower.asked, follower.problems

    def _begin(self, route: Route) -> None:
        written = _written(route)
        known = self._followers.get(route.key)
        if known is not None and known[0] == written:
            return
        self._end(route.key)
        if not route.follows:
            return
        try:
            follower = self._follower(written)
        except Silence as silence:
            text = f"{route.name}  cannot follow: {silence}"
            log.event(log.ERROR, "not_followed", text, route=route.name, reason=str(silence))
            return
        self._followers[route.key] = written, follower

    def _follower(self, route: Route) -> Follower:
        """Return the follower of `route`. Raises Silence."""
        report, memory = partial(self._report, route.key), self._memories.get(route.key)
        if route.follow is not None:
            return _AUTHORITIES[route.follow.kind](route, self._resolver, report, memory)
        return MembersFollower(route, self._resolver, report, memory, RULES[route.health])

    def _end(self, key: RouteKey) -> None:
        if key in self._followers:
            _, follower = self._followers.pop(key)
            follower.close()


def _written(route: Route) -> Route:
    """Return `route` with only the fields that a follower reads: without those that it sets itself,
    or the operator.
    """
    return Route(
        "",
        route.listen,
        route.members,
        route.proto,
        interval=route.interval,
        fall=route.fall,
        health=route.health,
        follow=route.follow,
        user=route.user,
        password_file=route.password_file,
        sentinel_user=route.sentinel_user,
        sentinel_password_file=route.sentinel_password_file,
        health_tls=route.health_tls,
        promote=route.promote,
        failback=route.failback,
    )
