"""The plain view of `top`, as lines of text, look after look. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from ambassador.cli.plot import rate, spark
from ambassador.cli.text import headline, size, table
from ambassador.core.results import RouteView, StatusView
from ambassador.spec import printable

__all__ = ["Film"]

_KEPT = 120  # looks; two minutes at one a second
_HEAD = ("ROUTE", "LISTEN", "PLANE", "USABLE", "OPEN", "HELD", "NEW/S", "UP/S", "DOWN/S")
_ENDS = ("NEW/S", "BYTES/S")
_MARGIN = 2
_WIDEST, _NARROWEST = 40, 8


@dataclass(slots=True)
class _Series:
    opened: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))
    up: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))
    down: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def both(self) -> list[float]:
        """Return the bytes of both directions together, a second."""
        return [up + down for up, down in zip(self.up, self.down, strict=True)]


class Film:
    """Keeps the last two minutes of each route."""

    def __init__(self) -> None:
        self._view: StatusView | None = None
        self._when = 0.0
        self._series: dict[str, _Series] = {}

    def add(self, view: StatusView, now: float) -> None:
        """Take the look `view`, of the time `now` (seconds)."""
        before = {one.name: one for one in self._view.routes} if self._view else {}
        passed = now - self._when
        series: dict[str, _Series] = {}
        for one in view.routes:
            series[one.name] = self._series.get(one.name, _Series())
            if earlier := before.get(one.name):
                _extend(series[one.name], one, earlier, passed)
        self._view, self._when, self._series = view, now, series

    def lines(self, width: int, height: int) -> list[str]:
        """Return at most `height` lines of at most `width` characters; the first names the
        ambassador, the second is empty, the third is the head of the table.
        """
        view = self._view
        if view is None:
            return []
        room = max(height - 3, 0)
        cells = [self._cells(one) for one in view.routes]
        rows = table(_HEAD, cells[:room]).splitlines()
        plot = min(_WIDEST, (width - len(max(rows, key=len)) - 2 * _MARGIN) // 2)
        if plot >= _NARROWEST:
            rows = self._plotted(rows, view.routes[:room], plot)
        lines = [self._first(view), "", *rows]
        if len(cells) > room:
            lines[-1] = f"... and {len(cells) - room + 1} more"
        return [printable(line)[:width] for line in lines[:height]]

    def _first(self, view: StatusView) -> str:
        count = len(view.routes)
        total = sum(one.open for one in view.routes)
        return f"{headline(view)}   {count} route{'' if count == 1 else 's'}, {total} open"

    def _cells(self, one: RouteView) -> tuple[str, ...]:
        series = self._series[one.name]
        return (
            one.name,
            one.listen,
            one.plane,
            f"{sum(part.usable for part in one.endpoints)} of {len(one.endpoints)}",
            str(one.open),
            str(one.hold.waiting if one.hold else one.held or "-"),
            f"{_last(series.opened):.0f}",
            size(int(_last(series.up))),
            size(int(_last(series.down))),
        )

    def _plotted(self, rows: list[str], routes: Sequence[RouteView], width: int) -> list[str]:
        longest = max(map(len, rows))
        plots = [tuple(word.ljust(width) for word in _ENDS)]
        for one in routes:
            series = self._series[one.name]
            plots.append((spark(list(series.opened), width), spark(series.both(), width)))
        blank = " " * _MARGIN
        return [
            f"{row:<{longest}}{blank}{new}{blank}{amount}".rstrip()
            for row, (new, amount) in zip(rows, plots, strict=True)
        ]


def _extend(series: _Series, now: RouteView, before: RouteView, passed: float) -> None:
    series.opened.append(rate(now.opened, before.opened, passed))
    series.up.append(rate(now.to_upstream, before.to_upstream, passed))
    series.down.append(rate(now.to_client, before.to_client, passed))


def _last(values: deque[float]) -> float:
    return values[-1] if values else 0.0
