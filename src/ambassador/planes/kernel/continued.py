"""A session whose entry vanished from conntrack and was made again (vanished.py) is one session.
Pure.

The new entry counts from 0 and has another id: the facts of the old entry are kept until its end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from ambassador.model import Proto
from ambassador.planes.kernel.entry import Address, Flow

__all__ = ["PATIENCE", "Continued", "Ends", "Past", "ends_of"]

# Seconds to wait where an entry could not be made again: its client may have made a new one, which
# has not been reported yet.
PATIENCE = 1.0

Ends = tuple[Proto, Address, Address, Address]


class Past(NamedTuple):
    """A session before its entry vanished. `began` and `vanished` by the event loop's clock;
    `began` is None where it is not known.
    """

    flow: Flow  # with the bytes of all its entries
    began: float | None
    vanished: float


class Continued:
    """Sessions whose entries have vanished: from `vanished` to `back`, or by `left` to `lost`; and
    sessions whose entries are back, until their `end`.
    """

    def __init__(self) -> None:
        self._waiting: dict[Ends, Past] = {}
        self._leaving: dict[Ends, float] = {}  # of those, entries that could not be made again
        self._past: dict[Ends, Past] = {}

    def __bool__(self) -> bool:
        """Tell whether an entry that could not be made again may still come back."""
        return bool(self._leaving)

    def __contains__(self, flow: Flow) -> bool:
        """Tell whether `flow` goes on after its entry had vanished."""
        return ends_of(flow) in self._past

    def vanished(self, flow: Flow, began: float | None, now: float) -> None:
        """An entry has vanished while its session was open."""
        ends = ends_of(flow)
        before = self._past.pop(ends, None)
        if before is not None:
            began = before.began
        self._leaving.pop(ends, None)
        self._waiting[ends] = Past(_joined(before, flow), began, now)

    def left(self, flow: Flow, now: float) -> None:
        """Note that its entry could not be made again: `flow` has ended, unless its client begins
        again.
        """
        ends = ends_of(flow)
        if ends in self._waiting:
            self._leaving.pop(ends, None)  # the last in order
            self._leaving[ends] = now

    def back(self, flow: Flow) -> Past | None:
        """Return the past of `flow`, which has a new entry; None where it is a new session."""
        ends = ends_of(flow)
        self._leaving.pop(ends, None)
        self._past.pop(ends, None)  # of an earlier session between the same ends
        past = self._waiting.pop(ends, None)
        if past is not None:
            self._past[ends] = past
        return past

    def lost(self, until: float = float("inf")) -> Iterator[Past]:
        """Yield the sessions that `left` before `until` and have not come back: they have ended.
        Without `until`, all sessions whose entries have vanished and are not back.
        """
        while self._leaving:
            ends, since = next(iter(self._leaving.items()))  # the first to leave
            if since > until:
                return
            del self._leaving[ends]
            yield self._waiting.pop(ends)
        while until == float("inf") and self._waiting:
            yield self._waiting.pop(next(iter(self._waiting)))

    def end(self, flow: Flow) -> tuple[Flow, float | None]:
        """Return `flow`, which has ended, with the bytes of all its entries; and when it began, if
        its entry had vanished before and this is known.
        """
        past = self._past.pop(ends_of(flow), None)
        return _joined(past, flow), None if past is None else past.began

    def keep(self, there: Collection[Ends]) -> int:
        """Forget sessions that were back and are not `there` any longer; return how many."""
        gone = [ends for ends in self._past if ends not in there]
        for ends in gone:
            del self._past[ends]
        return len(gone)


def ends_of(flow: Flow) -> Ends:
    """Return the ends of `flow`, which are the same in each of its entries."""
    return flow.proto, flow.client, flow.listen, flow.upstream


def _joined(past: Past | None, flow: Flow) -> Flow:
    if past is None:
        return flow
    before = past.flow
    return flow._replace(
        packets_up=flow.packets_up + before.packets_up,
        bytes_up=flow.bytes_up + before.bytes_up,
        packets_down=flow.packets_down + before.packets_down,
        bytes_down=flow.bytes_down + before.bytes_down,
        began=before.began or flow.began,
    )
