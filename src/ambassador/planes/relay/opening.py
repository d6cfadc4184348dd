"""One door: a listener that workers may accept at, and what its ways are called."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.plain import Plain
from ambassador.spec import format_endpoint

if TYPE_CHECKING:
    from ambassador.planes.relay.listener import StreamListener
    from ambassador.planes.relay.worker_messages import Way

__all__ = ["Opening"]


class Opening:
    """One door: its listener, and what its ways are called."""

    def __init__(self, number: int, listener: StreamListener) -> None:
        self.number = number
        self.listener = listener
        self.plain: Plain | None = None
        self.ways: dict[int, Candidate] = {}
        self._numbers: dict[Candidate, int] = {}
        self._next = itertools.count(1)

    def way(self, candidate: Candidate) -> Way:
        """Return how `candidate` is called."""
        from ambassador.planes.relay.worker_messages import Way  # noqa: PLC0415 (workers are there)

        number = self._numbers.get(candidate)
        if number is None:
            number = self._numbers[candidate] = next(self._next)
        self.ways[number] = candidate
        where = candidate.address, candidate.port
        return Way(number, *where, format_endpoint(candidate.endpoint), candidate.written)

    def known(self, number: int, candidate: Candidate) -> None:
        """An earlier process has called `candidate` so."""
        self.ways[number] = candidate
        self._next = itertools.count(max(self.ways) + 1)
