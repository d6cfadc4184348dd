"""Texts for people: tables, sizes, times, and lines without control characters. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ambassador.core.results import StatusView
from ambassador.spec import printable

__all__ = ["age", "headline", "safe", "size", "table"]


def safe(text: str) -> str:
    """Return `text` without control characters for the terminal, except for newlines: parts of it
    may come from an endpoint, a name server or a client.
    """
    return "\n".join(map(printable, text.split("\n")))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned columns, two blanks apart, under `head`."""
    lines = [list(head), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def size(count: int) -> str:
    """Return bytes for people: `0 B`, `1.5 KiB`, `3.2 GiB`."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def age(seconds: float) -> str:
    """Return a time for people: `0.4 s`, `12 s`, `3 m 20 s`, `5 h 2 m`, `9 d 1 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    left = int(seconds)
    for larger, unit, smaller, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "m")):
        if left >= larger:
            return f"{left // larger} {unit} {left % larger // smaller} {small}"
    return f"{left // 60} m {left % 60} s" if left >= 60 else f"{left} s"


def headline(view: StatusView) -> str:
    """Return the phase of an ambassador, how long it has been up, its name, version and pid."""
    up = f"for {age(view.uptime)}" if view.phase == "ready" else f"and up for {age(view.uptime)}"
    called = f" {view.place.name}" if view.place.name else ""
    return f"{view.phase} {up}, ambassador{called} {view.version}, pid {view.pid}"
