"""Lines about many ports, joined where they differ only in the port."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from operator import sub
from typing import NamedTuple

__all__ = ["in_ranges"]

_FEWEST = 3  # lines that are joined
_NUMBER = re.compile(r"([0-9]+)")


class _Line(NamedTuple):
    port: int
    place: int
    text: str
    numbers: tuple[int, ...]


def in_ranges(lines: Iterable[tuple[int, str]]) -> list[str]:
    """Return the texts of `lines`, each of which is given with its port. Three or more lines for
    successive ports are joined where nothing but numbers changes, by one a port: into one line with
    `FIRST-LAST` for such a number, at the place of the first line.
    """
    known: dict[tuple[str, ...], list[_Line]] = {}
    for place, (port, text) in enumerate(lines):
        pieces = _NUMBER.split(text)
        line = _Line(port, place, text, tuple(map(int, pieces[1::2])))
        known.setdefault(tuple(pieces[::2]), []).append(line)
    found: list[tuple[int, str]] = []
    for form, alike in known.items():
        for run in _runs(sorted(alike), form):
            if len(run) < _FEWEST:
                found += [(one.place, one.text) for one in run]
            else:
                place = min(one.place for one in run)
                found.append((place, _one(run[0].text, run[-1].text, len(run))))
    return [text for _, text in sorted(found)]


def _runs(alike: Sequence[_Line], form: Sequence[str]) -> Iterable[list[_Line]]:
    """Yield runs of lines for successive ports, whose texts, all of `form`, change alike."""
    run: list[_Line] = []
    change: tuple[int, ...] | None = None
    allowed: tuple[int, ...] | None = None
    for one in alike:
        now = _change(run[-1], one) if run else None
        if now is not None and now != allowed:  # nearly always equal to the one before
            now = now if _is_range(now, form) else None
            allowed = now
        if run and (now is None or change not in (None, now)):
            yield run
            run, now = [], None
        change = now
        run.append(one)
    if run:
        yield run


def _change(before: _Line, after: _Line) -> tuple[int, ...] | None:
    """Return by how much each number changes; None where it is not the next port."""
    if after.port != before.port + 1:
        return None
    return tuple(map(sub, after.numbers, before.numbers))


def _is_range(change: Sequence[int], form: Sequence[str]) -> bool:
    """Tell whether numbers that change by `change`, between the pieces of `form`, may become
    ranges.
    """
    if not set(change) <= {0, 1}:
        return False
    return not any(  # of an address
        step and (left.endswith(".") or right.startswith((".", "]")))
        for step, left, right in zip(change, form[:-1], form[1:], strict=True)
    )


def _one(first: str, last: str, count: int) -> str:
    pieces = zip(_NUMBER.split(first), _NUMBER.split(last), strict=True)
    text = "".join(one if one == other else f"{one}-{other}" for one, other in pieces)
    return f"{text}  ({count} routes)"
