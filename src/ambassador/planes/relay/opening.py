"""One door as the relay has it: a listener that workers may accept at, and its numbered ways."""

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
    """One door. A way is one address where its clients are connected; `ways` has them by number.
    `plain` is what workers know of it; None while it is shut.
    """

    def __init__(self, number: int, listener: StreamListener) -> None:
        self.number = number
        self.listener = listener
        self.plain: Plain | None = None
        self.ways: dict[int, Candidate] = {}
        self._numbers: dict[Candidate, int] = {}
        self._next = itertools.count(1)

    def way(self, candidate: Candidate) -> Way:
        """Return the way that leads to `candidate`, with a number that stays the same."""
        from ambassador.planes.relay.worker_messages import Way  # noqa: PLC0415 (workers are there)

        number = self._numbers.get(candidate)
        if number is None:
            number = self._numbers[candidate] = next(self._next)
        self.ways[number] = candidate
        where = candidate.address, candidate.port
        return Way(number, *where, format_endpoint(candidate.endpoint), candidate.written)

    def known(self, number: int, candidate: Candidate) -> None:
        """Note that an earlier relay gave the way to `candidate` this `number`."""
        self.ways[number] = candidate
        self._next = itertools.count(max(self.ways) + 1)
