"""The state of `top`: what it shows and what is selected, look after look. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ambassador.cli.plot import rate
from ambassador.core.results import EndpointView, RouteView, SessionView, StatusView

__all__ = ["SORTS", "Board", "Row", "Series", "endpoint_state", "trouble"]

KEPT = 120  # looks; two minutes at one a second
SORTS = ("name", "open", "new", "bytes", "trouble")


@dataclass(slots=True)
class Series:
    """The last rates of one route: sessions, bytes up, bytes down and refused, each a second."""

    opened: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    up: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    down: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    refused: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))

    def last(self, name: str) -> float:
        """Return the newest value of the series `name`; 0 if there is none yet."""
        values: deque[float] = getattr(self, name)
        return values[-1] if values else 0.0

    def both(self) -> list[float]:
        """Return the bytes of both directions together."""
        return [up + down for up, down in zip(self.up, self.down, strict=True)]


@dataclass(frozen=True, slots=True)
class Row:
    """A line that can be selected: a route, or one of its endpoints."""

    route: str
    endpoint: str = ""


class Board:
    """Keeps the last look, and what the operator has selected, opened, sorted and filtered."""

    def __init__(self) -> None:
        self.view: StatusView | None = None
        self.series: dict[str, Series] = {}
        self.sort = "name"
        self.filter = ""
        self.endpoints = True  # whether the endpoints of each route are shown below it
        self.selected: Row | None = None
        self.opened = ""  # the route that is shown alone
        self.sessions: tuple[SessionView, ...] = ()  # of this route
        self.total = 0  # how many sessions this route has
        self.session = 0  # the index of the selected session
        self.lost = ""  # why the ambassador does not answer, and since when
        self._when = 0.0

    def add(self, view: StatusView, now: float) -> None:
        """Take the look `view`, of the time `now` (seconds)."""
        same = self.view is not None and self.view.pid == view.pid
        before = {one.name: one for one in self.view.routes} if self.view and same else {}
        passed, self._when = now - self._when, now
        series: dict[str, Series] = {}
        for one in view.routes:
            series[one.name] = self.series.get(one.name, Series())
            if earlier := before.get(one.name):
                _extend(series[one.name], one, earlier, passed)
        self.view, self.series, self.lost = view, series, ""
        rows = self.rows()
        if self.selected not in rows:
            self.selected = rows[0] if rows else None

    def routes(self) -> list[RouteView]:
        """Return the routes that are shown, in their order."""
        if self.view is None:
            return []
        words = self.filter.lower().split()
        found = [one for one in self.view.routes if all(word in _text(one) for word in words)]
        found.sort(key=lambda one: one.name)
        if self.sort != "name":
            found.sort(key=self._key, reverse=True)
        return found

    def rows(self) -> list[Row]:
        """Return all rows that can be selected, from top to bottom."""
        rows = []
        for one in self.routes():
            rows.append(Row(one.name))
            if self.endpoints:
                rows += [Row(one.name, part.endpoint) for part in one.endpoints]
        return rows

    def move(self, steps: int) -> None:
        """Select the row `steps` further down, or the session, if one route is shown alone."""
        if self.opened:
            self.session = max(0, min(len(self.sessions) - 1, self.session + steps))
            return
        rows = self.rows()
        if rows:
            here = rows.index(self.selected) if self.selected in rows else 0
            self.selected = rows[max(0, min(len(rows) - 1, here + steps))]

    def open(self, name: str) -> None:
        """Show the route called `name` alone."""
        self.opened, self.sessions, self.total, self.session = name, (), 0, 0

    def sort_next(self) -> None:
        """Sort by the next column."""
        self.sort = SORTS[(SORTS.index(self.sort) + 1) % len(SORTS)]

    def route(self, name: str) -> RouteView | None:
        """Return the route called `name`."""
        routes = self.view.routes if self.view else ()
        return next((one for one in routes if one.name == name), None)

    def totals(self) -> Mapping[str, float]:
        """Return sums over all routes."""
        routes: Sequence[RouteView] = self.view.routes if self.view else ()
        return {
            "routes": len(routes),
            "open": sum(one.open for one in routes),
            "new/s": sum(one.last("opened") for one in self.series.values()),
            "up/s": sum(one.last("up") for one in self.series.values()),
            "down/s": sum(one.last("down") for one in self.series.values()),
            "refused": sum(one.refused for one in routes),
            "failures": sum(part.failures for one in routes for part in one.endpoints),
            "wait": sum(one.hold.waiting if one.hold else one.held for one in routes),
        }

    def scale(self) -> tuple[float, float]:
        """Return the scale of all plots: sessions and bytes a second at full height."""
        return (
            max((max(one.opened, default=0.0) for one in self.series.values()), default=0.0),
            max((max(one.both(), default=0.0) for one in self.series.values()), default=0.0),
        )

    def _key(self, one: RouteView) -> float:
        series = self.series.get(one.name, Series())
        return {
            "open": float(one.open),
            "new": series.last("opened"),
            "bytes": series.last("up") + series.last("down"),
            "trouble": float(trouble(one)),
        }[self.sort]


def _extend(series: Series, now: RouteView, before: RouteView, passed: float) -> None:
    series.opened.append(rate(now.opened, before.opened, passed))
    series.up.append(rate(now.to_upstream, before.to_upstream, passed))
    series.down.append(rate(now.to_client, before.to_client, passed))
    series.refused.append(rate(now.refused, before.refused, passed))


def _text(one: RouteView) -> str:
    return " ".join((one.name, one.listen, one.plane, *(e.endpoint for e in one.endpoints))).lower()


def endpoint_state(part: EndpointView) -> tuple[str, str, str]:
    """Return the state of an endpoint as a sign, a word and a tone: colour alone is not enough."""
    if part.admin == "maint":
        return "#", "maint", "off"
    if part.admin == "drain":
        return "-", "drain", "warn"
    if part.health == "unhealthy":
        return "!", "unhealthy", "bad"
    if part.failing:
        return "!", "unreachable", "bad"
    if part.health == "healthy":
        return "*", "healthy", "good"
    return "o", "not probed", "calm"


def trouble(one: RouteView) -> int:
    """Return the trouble of a route: 3 no usable endpoint, 2 an endpoint fails, 1 held, 0 none."""
    if not any(part.usable for part in one.endpoints) and one.hold is None:
        return 3
    if any(endpoint_state(part)[2] == "bad" for part in one.endpoints):
        return 2
    return 1 if one.hold is not None else 0
