"""Small plots in text: a series of numbers as one line of blocks. Pure."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["rate", "spark"]

_BLOCKS = "▁▂▃▄▅▆▇█"


def spark(values: Sequence[float], width: int, top: float = 0.0) -> str:
    """Return the last `width` of `values` as blocks; the highest block stands for `top`, or, if
    that is 0, for the largest of these values.

    Zero is the lowest block; a larger value never is. If there are fewer values than `width`, there
    are blanks on the left.
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
    """Return by how much a counter has risen in a second; 0 if it began again from zero."""
    return max(0, now - before) / seconds if seconds > 0 else 0.0
