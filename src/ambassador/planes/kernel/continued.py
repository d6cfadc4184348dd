"""A session whose entry vanished and was entered again (vanished.py) is one session. Pure.

The new entry counts from nothing, by another id: what is known of the old one waits for its end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from ambassador.model import Proto
from ambassador.planes.kernel.entry import Address, Flow

__all__ = ["PATIENCE", "Continued", "Ends", "Past", "ends_of"]

# Seconds in which a client may have begun again by itself what could not be entered again, and
# nothing told us of it yet.
PATIENCE = 1.0

Ends = tuple[Proto, Address, Address, Address]


class Past(NamedTuple):
    """What a session was before its entry vanished: `began` and `vanished` as the loop tells the
    time, None where its beginning is not known.
    """

    flow: Flow  # with what all its entries have carried
    began: float | None
    vanished: float


class Continued:
    """From `vanished` to `back`, or by `left` to `lost`; what is back, to `end`."""

    def __init__(self) -> None:
        self._waiting: dict[Ends, Past] = {}
        self._leaving: dict[Ends, float] = {}  # of those, the ones that were not entered again
        self._past: dict[Ends, Past] = {}

    def __bool__(self) -> bool:
        """Tell whether an entry that was not entered again may still come back."""
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
        """It could not be entered again: it has ended, unless its client begins again by itself."""
        ends = ends_of(flow)
        if ends in self._waiting:
            self._leaving.pop(ends, None)  # the last in order
            self._leaving[ends] = now

    def back(self, flow: Flow) -> Past | None:
        """Return what `flow`, whose entry is there anew, was before; None where it is a session
        of its own.
        """
        ends = ends_of(flow)
        self._leaving.pop(ends, None)
        self._past.pop(ends, None)  # of an earlier one between the same ends
        past = self._waiting.pop(ends, None)
        if past is not None:
            self._past[ends] = past
        return past

    def lost(self, until: float = float("inf")) -> Iterator[Past]:
        """Yield what has `left` until then and has not come back: it has ended. Without `until`,
        all that has vanished and is not there again.
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
        """Return `flow`, which has ended, with all that it has carried, and its true beginning
        where it had vanished before and that is known.
        """
        past = self._past.pop(ends_of(flow), None)
        return _joined(past, flow), None if past is None else past.began

    def keep(self, there: Collection[Ends]) -> int:
        """Forget what is back and not `there` any longer; return how many these are."""
        gone = [ends for ends in self._past if ends not in there]
        for ends in gone:
            del self._past[ends]
        return len(gone)


def ends_of(flow: Flow) -> Ends:
    """Return what names `flow` in whichever entry."""
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
