"""How the descriptors that a process may have (RLIMIT_NOFILE, getrlimit(2)) are shared out.

What listens to strangers, and questions for names, have shares of their own, which sessions leave
to them; and they leave the rest to sessions.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Shares", "shares"]

_BASE = 16  # log, files read at a reload, the first questions for names
_FIRST_NAMES = 4  # questions that are among these


class Shares(NamedTuple):
    """`connections` of one door (admin socket, API, monitors), and `questions` under way."""

    connections: int
    questions: int

    def reserve(self, doors: int) -> int:
        """Return how many descriptors sessions leave alone where there are so many doors. A
        question has two sockets, one each for IPv4 and IPv6.
        """
        return _BASE + doors * self.connections + 2 * max(0, self.questions - _FIRST_NAMES)


def shares(limit: int) -> Shares:
    """Return the shares of a process that may have `limit` descriptors."""
    return Shares(
        connections=min(max(limit // 16, 4), 128), questions=min(max(limit // 32, 4), 100)
    )
