"""Lines about many ports, put together where they differ in nothing but the port."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

__all__ = ["in_ranges"]

_FEWEST = 3  # lines that become one
_NUMBER = re.compile(r"([0-9]+)")


def in_ranges(lines: Iterable[tuple[int, str]]) -> list[str]:
    """Return the texts of `lines`, each with the port it is about; three or more for ports that
    follow each other, in which nothing but a number changes and that by one a port, become one
    with `FIRST-LAST` for such a number, where the first of them stood.
    """
    known: dict[tuple[str, ...], list[tuple[int, int, str]]] = {}
    for place, (port, text) in enumerate(lines):
        form = tuple(_NUMBER.split(text)[::2])
        known.setdefault(form, []).append((port, place, text))
    found: list[tuple[int, str]] = []
    for alike in known.values():
        for run in _runs(sorted(alike)):
            if len(run) < _FEWEST:
                found += [(place, text) for _, place, text in run]
            else:
                place = min(place for _, place, _ in run)
                found.append((place, _one(run[0][2], run[-1][2], len(run))))
    return [text for _, text in sorted(found)]


def _runs(alike: Sequence[tuple[int, int, str]]) -> Iterable[list[tuple[int, int, str]]]:
    """Yield runs of ports one behind the other, whose texts change in the same way."""
    run: list[tuple[int, int, str]] = []
    change: tuple[int, ...] | None = None
    for one in alike:
        now = _change(run[-1], one) if run else None
        if run and (now is None or change not in (None, now)):
            yield run
            run, now = [], None
        change = now
        run.append(one)
    if run:
        yield run


def _change(before: tuple[int, int, str], after: tuple[int, int, str]) -> tuple[int, ...] | None:
    """Return by how much each number changes, 0 or 1; None where it is no step of a range."""
    if after[0] != before[0] + 1:
        return None
    first, second = _NUMBER.split(before[2]), _NUMBER.split(after[2])
    numbers = zip(first[1::2], second[1::2], strict=True)
    change = tuple(int(new) - int(old) for old, new in numbers)
    if not set(change) <= {0, 1}:
        return None
    for step, (left, right) in zip(change, zip(first[::2], first[2::2], strict=False), strict=True):
        if step and (left.endswith(".") or right.startswith((".", "]"))):
            return None  # of an address
    return change


def _one(first: str, last: str, count: int) -> str:
    pieces = zip(_NUMBER.split(first), _NUMBER.split(last), strict=True)
    text = "".join(one if one == other else f"{one}-{other}" for one, other in pieces)
    return f"{text}  ({count} routes)"
