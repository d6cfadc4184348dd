"""How the descriptors that a process may have (RLIMIT_NOFILE, getrlimit(2)) are shared out.

The listeners for API clients and monitors, and DNS questions, have shares of their own; the rest is
for sessions.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Shares", "shares"]

_BASE = 16  # log, files read at a reload, the first questions for names
_FIRST_NAMES = 4  # questions that are counted there


class Shares(NamedTuple):
    """`connections` that one of our own listeners (admin socket, API, monitors) may have at once,
    and `questions` that may be under way.
    """

    connections: int
    questions: int

    def reserve(self, doors: int) -> int:
        """Return how many descriptors are not for sessions where there are so many such listeners
        (`doors`). A question has two sockets, one each for IPv4 and IPv6.
        """
        return _BASE + doors * self.connections + 2 * max(0, self.questions - _FIRST_NAMES)


def shares(limit: int) -> Shares:
    """Return the shares of a process that may have `limit` descriptors."""
    return Shares(
        connections=min(max(limit // 16, 4), 128), questions=min(max(limit // 32, 4), 100)
    )
