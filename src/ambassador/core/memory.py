"""How many unsent bytes all sessions together may hold, and how many each of them may."""

from __future__ import annotations

__all__ = ["LEAST", "Memory", "bound"]

# A session whose reader takes everything needs little more than one read at a time. So much is
# never refused; otherwise that session would stop because others fill the memory.
LEAST = 4096
_SHARE = 8  # the share of the memory that is allowed: one part in eight
_READ = 8  # the share of what is free for one read
_MOST = 64 << 20  # enough for 250 directions with a full buffer; a higher bound has to be set


def bound(asked: int | None, allowed: int) -> int:
    """Return the bytes all sessions may hold unsent: `asked`, or a share of the bytes `allowed`."""
    return asked if asked is not None else min(_MOST, allowed // _SHARE)


class Memory:
    """The bytes that the sessions of one process hold unsent, and how many each direction may hold:
    `buffer`, or as many as are free, so that when memory is short all get the same (the dynamic
    threshold of Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998). One read is
    of `largest` bytes at most, and of an eighth of what is free: nobody may take all of it at once.
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
        """Count `count` bytes as held; a negative number: as sent."""
        self.held += count
        free = max(LEAST, self.bound - self.held)
        self.allowed = min(self._buffer, free)
        self.reading = min(self._largest, max(LEAST, free // _READ))

    def has(self, count: int) -> bool:
        """Tell whether `count` more bytes have room; asked for datagrams, which may be dropped."""
        return self.held + count <= self.bound
