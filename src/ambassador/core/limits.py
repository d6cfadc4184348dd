"""How many sessions a route takes: at once, of one client, and in a time. No clock: `now` is an
argument.
"""

from __future__ import annotations

from collections import Counter
from socket import AF_INET6, inet_pton
from typing import Any

from ambassador.model import Rate, Reason, Route

__all__ = ["Limits", "client_of", "is_limited", "until_next", "wait_of"]

_MOST = 65_536  # clients remembered as refused; beyond that the oldest are forgotten
_MAPPED = "::ffff:"


def is_limited(route: Route) -> bool:
    """Tell whether sessions, clients or refusals of `route` have to be counted."""
    return bool(route.limit or route.limit_client or route.rate or route.ban)


def wait_of(route: Route, reason: Reason) -> float:
    """Return how many seconds a client refused for `reason` may wait for a place instead."""
    if reason is Reason.RATE:
        return route.rate.wait if route.rate is not None else 0.0
    limits = {Reason.LIMIT: route.limit, Reason.LIMIT_CLIENT: route.limit_client}
    limit = limits.get(reason)
    return limit.wait if limit is not None else 0.0


def until_next(limits: Limits, route: Route, now: float) -> float:
    """Return the seconds until the rate of `route` has room for the next session."""
    if route.rate is None:
        return 0.0
    missing = 1.0 - limits.tokens(route.rate, now)
    # A little more than that: a check that comes too early would have to be repeated at once.
    return max(0.0, missing * route.rate.seconds / route.rate.count) + 0.001


def client_of(host: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 of an IPv6 address, which one
    host may have all of (RFC 4291, section 2.5.4). `host` is as accept(2) gives it.
    """
    if host.startswith(_MAPPED) and "." in host:
        return host.removeprefix(_MAPPED)
    if ":" not in host:
        return host
    return inet_pton(AF_INET6, host.partition("%")[0])[:8].hex()


class Limits:
    """What is counted for one route: its clients' open sessions, new ones, and refused attempts."""

    def __init__(self) -> None:
        self._here: Counter[str] = Counter()
        self._tokens: float | None = None  # of `rate`; None: the full number
        self._filled = 0.0
        self._attempts: dict[str, tuple[int, float]] = {}  # refused: how often, since when
        self._banned: dict[str, float] = {}  # until when

    def judge(self, route: Route, host: str, opened: int, now: float) -> Reason | None:
        """Return why `route`, which has `opened` sessions, does not take the client at `host`; None
        where it does, and then the session is counted. For each session taken, `left` has to be
        called at its end. A client that may wait for a place counts as refused only if none came in
        time (`refused`).
        """
        client = client_of(host)
        if route.ban is not None and (until := self._banned.get(client)) is not None:
            if now < until:
                return Reason.BANNED
            del self._banned[client]
        reason = self._beyond(route, client, opened, now)
        if reason is None:
            self._here[client] += 1
        elif not wait_of(route, reason):
            self.refused(route, host, now)
        return reason

    def refused(self, route: Route, host: str, now: float) -> None:
        """Note that the client at `host` was refused."""
        if route.ban is not None:
            self._note(route.ban, client_of(host), now)

    def tokens(self, rate: Rate, now: float) -> float:
        """Return how many new sessions may come at once."""
        tokens = float(rate.count) if self._tokens is None else self._tokens
        return min(float(rate.count), tokens + (now - self._filled) * rate.count / rate.seconds)

    def told(self) -> list[Any]:
        """Return the counts other than open sessions, for another process of this host."""
        attempts = [[who, *found] for who, found in self._attempts.items()]
        return [self._tokens, self._filled, attempts, list(self._banned.items())]

    def heard(self, said: list[Any]) -> None:
        """Go on with the counts that another process has `told`. Raises TypeError and
        ValueError.
        """
        tokens, filled, attempts, banned = said
        self._tokens = None if tokens is None else float(tokens)
        self._filled = float(filled)
        self._attempts = {str(who): (int(count), float(at)) for who, count, at in attempts}
        self._banned = {str(who): float(until) for who, until in banned}

    def here(self, host: str) -> None:
        """Count a session of the client at `host` that another process has taken."""
        self._here[client_of(host)] += 1

    def left(self, host: str) -> None:
        """Note that a session of the client at `host` has ended; a session that was never counted,
        because it came before there was a limit, does no harm.
        """
        client = client_of(host)
        if self._here[client] <= 1:
            del self._here[client]
        else:
            self._here[client] -= 1

    def _beyond(self, route: Route, client: str, opened: int, now: float) -> Reason | None:
        if route.limit is not None and opened >= route.limit.count:
            return Reason.LIMIT
        most = route.limit_client
        if most is not None and self._here.get(client, 0) >= most.count:
            return Reason.LIMIT_CLIENT
        return None if route.rate is None or self._take(route.rate, now) else Reason.RATE

    def _take(self, rate: Rate, now: float) -> bool:
        """Take a token: `rate.count` tokens come in `rate.seconds`, and at most as many are
        kept.
        """
        self._tokens = self.tokens(rate, now)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _note(self, ban: Rate, client: str, now: float) -> None:
        count, since = self._attempts.pop(client, (0, now))
        if now - since >= ban.seconds:
            count, since = 0, now
        if count + 1 >= ban.count:
            self._banned[client] = now + ban.seconds
        else:
            self._attempts[client] = count + 1, since
        for known in (self._attempts, self._banned):
            if len(known) > _MOST:
                del known[next(iter(known))]
