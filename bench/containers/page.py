"""The page of what was measured of containers by name. Pure."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["Kept", "page"]

Kept = dict[str, Any]
_Rows = Sequence[Mapping[str, float]]
_HEAD = """# Containers by name, measured

Written by `./dev bench containers`; not by hand. Each engine runs in namespaces of its own, without
a registry; the ambassador is in the network of a container. In a turn the Redis that is meant is
stopped, another one takes its address, and it is started at a new one; four clients on the
engine's host make a new connection every 20 ms and ask who answers. Times are in ms, since Redis
by its own log took connections; median and longest. *Wrong*: the other server answered.
*Refused*: what failed of what began after the stop; what was open in that moment is cut.
*Load*: the machine's average, with whatever else it did; with more than one for each core, times
are of that, too.
"""


def _pair(values: Sequence[float]) -> str:
    if not values:
        return ""
    return f"{statistics.median(values):,.0f} / {max(values):,.0f}"


def _of(rows: _Rows, name: str) -> list[float]:
    return [row[name] for row in rows]


def _sum(rows: _Rows, name: str) -> str:
    return f"{sum(_of(rows, name)):,.0f}"


def _turns(rows: _Rows) -> list[str]:
    return [
        str(len(rows)), _sum(rows, "asked"), _sum(rows, "wrong"), _sum(rows, "refused"),
        _pair(_of(rows, "first")), _pair(_of(rows, "last")),
    ]  # fmt: skip


def _dns(rows: _Rows) -> list[str]:
    lie = max(_of(rows, "lie"), default=0.0)
    return [*_turns(rows), f"{lie:,.0f}"]


def _planes(rows: _Rows, show: Callable[[_Rows], str]) -> str:
    return "; ".join(
        f"{name} {show(some)}"
        for name, kernel in (("relay", 0.0), ("kernel", 1.0))
        if (some := [row for row in rows if row["kernel"] == kernel])
    )


def _frozen(rows: _Rows) -> list[str]:
    return [
        _planes(rows, lambda some: _sum(some, "turns")),
        _planes(rows, lambda some: f"{max(_of(some, 'right')):,.0f}"),
    ]


def _engine(rows: _Rows) -> list[str]:
    return [
        str(len(rows)), _sum(rows, "lost"), _sum(rows, "away"), _sum(rows, "wrong"),
        _sum(rows, "refused"), _planes(rows, lambda some: _pair(_of(some, "last"))),
    ]  # fmt: skip


def _wake(rows: _Rows) -> list[str]:
    one = [row for row in rows if row["clients"] == 1]
    many = [row for row in rows if row["clients"] > 1]
    return [
        str(len(one)), _pair(_of(one, "own")), _pair(_of(one, "over")),
        _pair(_of(many, "own")), _pair(_of(many, "over")),
        f"{max(_of(rows, 'posts'), default=0):.0f}", _sum(rows, "refused"),
    ]  # fmt: skip


def _named(rows: _Rows, named: float, name: str) -> list[float]:
    return [row[name] for row in rows if row["named"] == named]


def _rest(rows: _Rows) -> list[str]:
    return [f"{statistics.median(_named(rows, named, 'share')):.3f} %" for named in (1.0, 0.0)]


def _start(rows: _Rows) -> list[str]:
    cells = [str(len(_named(rows, 1.0, "spent")))]
    for name, unit in (("spent", "ms"), ("memory", "MB")):
        with_, without = (statistics.median(_named(rows, named, name)) for named in (1.0, 0.0))
        cells.append(f"{with_:.1f} - {without:.1f} = {with_ - without:.1f} {unit}")
    return cells


_TURNS = ("turns", "asked", "wrong", "refused", "first that waited", "last that waited")
_TABLES: dict[str, tuple[str, str, Sequence[str], Callable[[_Rows], list[str]]]] = {
    "relay": ("Restarts, relay plane", "", _TURNS, _turns),
    "kernel": ("Restarts, kernel plane", "", _TURNS, _turns),
    "nobody": ("Restarts without a client in the gap", "The first connection afterwards, of one.",
               _TURNS, _turns),
    "dns": ("The same with `tcp://redis:6379`, by the engine's DNS",
            "*Wrong for*: from the first wrong answer of a turn to its last, longest.",
            (*_TURNS, "wrong for"), _dns),
    "many": ("Recreation with 150 other containers there", "", _TURNS, _turns),
    "frozen": ("The ambassador stands still for 60 s (SIGSTOP) under restarts",
               "*Right*: ms after SIGCONT until every answer is right.", ("restarts", "right"),
               _frozen),
    "engine": ("The engine is killed or ended, and is back while its containers go on",
               "Sixteen sessions to another container; *away*: what failed of new connections "
               "while it was away; a restart as above in the moment it answers again.",
               ("times", "sessions lost", "away", "wrong", "refused", "last that waited"), _engine),
    "wake": ("Wake", "*Own*: from the POST until Redis took connections and the engine answered. "
             "*Over*: how much longer the (last) client waited for its answer.",
             ("times", "one client: own", "over", "a hundred: own", "over", "POSTs", "refused"),
             _wake),
    "rest": ("At rest", "Of a core, with two routes, by name and by address.",
             ("docker://", "tcp://"), _rest),
    "start": ("A start", "Processor time and memory (its share) until the first answer, medians.",
              ("starts", "time", "memory"), _start),
}  # fmt: skip


def page(kept: Kept) -> str:
    """Return the page of all that is `kept`."""
    host = f"{platform.system()} {platform.release()}, {os.cpu_count()} cores"
    lines = [_HEAD, host + "."]
    for cell, (title, more, columns, show) in _TABLES.items():
        found = [one for one in kept.values() if one["cell"] == cell]
        if not found:
            continue
        lines += ["", f"## {title}", ""]
        lines += [more, ""] if more else []
        lines.append(f"| engine | {' | '.join(columns)} | load | UTC |")
        lines.append("|---|" + "---:|" * (len(columns) + 2))
        for one in sorted(found, key=lambda one: str(one["engine"])):
            low, high = min(one["loads"]), max(one["loads"])
            cells = [one["engine"], *show(one["rows"]), f"{low:.1f} to {high:.1f}", one["at"]]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
