"""Numbers and tables as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.figures import Spread
from bench.peers import PEERS

__all__ = ["NOTHING", "in_order", "number", "span", "table"]

NOTHING = "-"


def in_order(peers: Iterable[str]) -> list[str]:
    """Return the peers in the order of their table."""
    wanted = set(peers)
    return [name for name in PEERS if name in wanted]


def number(value: float, digits: int) -> str:
    """Return a number with so many decimal places, fewer where they mean nothing."""
    if digits and value >= 10 ** (4 - digits):
        digits = max(0, digits - 1)
    return f"{value:,.{digits}f}"


def span(spread: Spread | None, digits: int) -> str:
    """Return the median, and minimum to maximum where they differ from it."""
    if spread is None:
        return NOTHING
    low, middle, high = (number(v, digits) for v in (spread.low, spread.middle, spread.high))
    return middle if low == high else f"{middle} ({low} to {high})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table whose first column is words and the rest numbers."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]
