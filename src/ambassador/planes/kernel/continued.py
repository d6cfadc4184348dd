"""A session whose entry vanished and was entered again (vanished.py) is one session. Pure.

The kernel tells of an end and a beginning, and the new entry counts from nothing: what is known of
the old one waits for the new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ambassador.model import Proto
from ambassador.planes.kernel.entry import Address, Flow

__all__ = ["PATIENCE", "Continued", "Past"]

PATIENCE = 1.0  # seconds in which an entry is there again, or never: 30,000 at once take 0.7

_Ends = tuple[Proto, Address, Address, Address]


@dataclass(frozen=True, slots=True)
class Past:
    """What a session was before its entry vanished: `began` and `vanished` as the loop tells the
    time, None where its beginning is not known.
    """

    flow: Flow  # with what all its entries have carried
    began: float | None
    vanished: float


class Continued:
    """From `vanished` to `back` or `lost`; then, by the id of the new entry, to `end`."""

    def __init__(self) -> None:
        self._waiting: dict[_Ends, Past] = {}
        self._past: dict[int, Past] = {}

    def __bool__(self) -> bool:
        """Tell whether an entry may still come back."""
        return bool(self._waiting)

    def vanished(self, flow: Flow, began: float | None, now: float) -> None:
        """An entry has vanished while its session was open."""
        before = self._past.pop(flow.id, None)
        if before is not None:
            began = before.began
        self._waiting.pop(_ends(flow), None)  # it is the last in order, and no other is
        self._waiting[_ends(flow)] = Past(_joined(before, flow), began, now)

    def back(self, flow: Flow) -> Past | None:
        """Return what `flow`, whose entry is new, was before; None where it is a session of its
        own.
        """
        past = self._waiting.pop(_ends(flow), None)
        if past is not None:
            self._past[flow.id] = past
        return past

    def lost(self, until: float = float("inf")) -> Iterator[Past]:
        """Yield what has vanished `until` then and has not come back: it has ended."""
        while self._waiting:
            ends, past = next(iter(self._waiting.items()))  # the first to vanish
            if past.vanished > until:
                return
            del self._waiting[ends]
            yield past

    def end(self, flow: Flow) -> Flow:
        """Return `flow`, which has ended, with all that it has carried and its true beginning."""
        return _joined(self._past.pop(flow.id, None), flow)

    def forget(self, number: int) -> None:
        """The end of this entry is not to be told."""
        self._past.pop(number, None)


def _ends(flow: Flow) -> _Ends:
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
