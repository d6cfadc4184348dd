"""Values in the order of their last use: UDP flows, which end only after a time of silence."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["ByLastUse", "Used"]


@dataclass(slots=True, eq=False)
class Used:
    """What `ByLastUse` can keep; `used` is the time of its last datagram, in seconds."""

    key: Hashable
    used: float


_F = TypeVar("_F", bound=Used)


class ByLastUse(Generic[_F]):
    """Flows by key, in the order of their last use, so that a sweep looks at idle ones only."""

    def __init__(self) -> None:
        self._flows: OrderedDict[Hashable, _F] = OrderedDict()
        self.get = self._flows.get  # called once a datagram; there, one call less counts

    def __len__(self) -> int:
        return len(self._flows)

    def __iter__(self) -> Iterator[_F]:
        return iter(tuple(self._flows.values()))

    def __contains__(self, flow: _F) -> bool:
        return self._flows.get(flow.key) is flow

    def add(self, flow: _F) -> None:
        """Keep `flow`, whose key is new, as the one used last."""
        self._flows[flow.key] = flow

    def use(self, flow: _F, now: float) -> None:
        """Note a datagram of `flow`; `now` never goes backwards."""
        flow.used = now
        self._flows.move_to_end(flow.key)

    def remove(self, flow: _F) -> None:
        """Forget `flow`."""
        del self._flows[flow.key]

    def oldest(self) -> _F | None:
        """Return the flow that has been silent longest; None where there is none."""
        return next(iter(self._flows.values()), None)

    def idle(self, now: float, limit: float) -> list[_F]:
        """Return the flows that have been silent for `limit` seconds or more, longest first."""
        found = []
        for flow in self._flows.values():
            if now - flow.used < limit:
                break
            found.append(flow)
        return found

    def next_idle(self, limit: float) -> float | None:
        """Return the time at which the first flow will be idle, if no flow is used before."""
        oldest = self.oldest()
        return None if oldest is None else oldest.used + limit
