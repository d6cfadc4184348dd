"""Small plots in text: a series of numbers as one line of blocks. Pure."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["rate", "spark"]

_BLOCKS = "▁▂▃▄▅▆▇█"


def spark(values: Sequence[float], width: int, top: float = 0.0) -> str:
    """Return the last `width` of `values` as blocks: as high as can be is `top`, or where that is
    not given the largest of them.

    Nothing is the lowest block, and what is more than nothing never is. Values that are not there
    yet are blanks on the left.
    """
    visible = values[-width:] if width > 0 else ()
    largest = top or max(visible, default=0)
    blocks = "".join(_block(value / largest if largest > 0 else 0) for value in visible)
    return blocks.rjust(width)


def _block(share: float) -> str:
    if share <= 0:
        return _BLOCKS[0]
    return _BLOCKS[max(1, min(len(_BLOCKS) - 1, round(share * (len(_BLOCKS) - 1))))]


def rate(now: int, before: int, seconds: float) -> float:
    """Return how many a second a counter has risen; 0 after it began again."""
    return max(0, now - before) / seconds if seconds > 0 else 0.0
