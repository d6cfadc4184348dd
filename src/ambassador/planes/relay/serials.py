"""Serial numbers of the routes of a relay, for the ids of their sessions: each is given once."""

from __future__ import annotations

import itertools

__all__ = ["serials"]


class _Serials:
    def __init__(self) -> None:
        self._counting = itertools.count(1)

    def __call__(self) -> int:
        """Return the next number."""
        return next(self._counting)

    def go_on(self, serial: int) -> None:
        """Begin with `serial`, at least: smaller numbers were given by an earlier process."""
        self._counting = itertools.count(max(serial, self()))


serials = _Serials()
