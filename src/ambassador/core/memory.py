"""How much all sessions together may hold unsent, and what is left for each of them."""

from __future__ import annotations

__all__ = ["LEAST", "Memory", "bound"]

# A session whose reader takes everything needs little more than one read at a time; so much is
# never refused, or it would stand still for others that do.
LEAST = 4096
_SHARE = 8  # of the memory that is allowed, one part in so many
_MOST = 64 << 20  # enough for 250 directions with a full buffer; more only on demand


def bound(asked: int | None, allowed: int) -> int:
    """Return the bytes all sessions may hold unsent: `asked`, or a share of those `allowed`."""
    return asked if asked is not None else min(_MOST, allowed // _SHARE)


class Memory:
    """The bytes that the sessions of one process hold unsent, and how many each direction may:
    `buffer`, or as many as are free, so that all get the same when they are short (the dynamic
    threshold of Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998). One read is
    of `largest` bytes at most.
    """

    __slots__ = ("_buffer", "_largest", "allowed", "bound", "held", "reading")

    def __init__(self, bound: int, buffer: int, largest: int) -> None:
        self.bound = bound
        self.held = 0
        self._buffer = buffer
        self._largest = largest
        self.allowed = self.reading = 0
        self.add(0)

    def add(self, count: int) -> None:
        """Count `count` bytes as held; below 0: as gone."""
        self.held += count
        free = max(LEAST, self.bound - self.held)
        self.allowed = min(self._buffer, free)
        self.reading = min(self._largest, free)

    def has(self, count: int) -> bool:
        """Tell whether there is room for `count` bytes that need not be kept."""
        return self.held + count <= self.bound
