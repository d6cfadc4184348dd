"""Addresses that did not answer lately: each is tried by one client at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

__all__ = ["DOUBT", "Doubts", "Place"]

# Seconds for which an address that failed is tried last; long enough to spare most clients the
# wait for it, short enough to come back soon after a restart. Each trial that fails doubles it.
DOUBT = 5.0
_LONGEST = 30.0  # seconds

Place: TypeAlias = tuple[str, int]  # an IP literal and a port, or a path and 0


class Doubts:
    """Addresses in doubt; times in seconds of one clock. `turned` is called when the first address
    is in doubt, and when none is any longer.
    """

    def __init__(self, turned: Callable[[], None] = lambda: None) -> None:
        self._turned = turned
        self.until: dict[Place, float] = {}  # empty: nothing is in doubt
        self._pause: dict[Place, float] = {}  # the last pause before a trial, of those tried again
        self._tried: set[Place] = set()  # tried again, and no failure since

    def __len__(self) -> int:
        return len(self.until)

    def __contains__(self, place: Place) -> bool:
        return place in self.until

    def add(self, place: Place, now: float) -> None:
        """Doubt `place` from `now` on; also where it is in doubt already."""
        self.forget(now)
        first = not self.until
        self._tried.discard(place)
        self.until[place] = max(now + DOUBT, self.until.get(place, now))
        if first:
            self._turned()

    def remove(self, place: Place) -> bool:
        """Doubt `place` no longer; tell whether it was doubted."""
        removed = self.until.pop(place, None) is not None
        self._pause.pop(place, None)
        self._tried.discard(place)
        if removed and not self.until:
            self._turned()
        return removed

    def is_doubted(self, place: Place, now: float) -> bool:
        """Tell whether `place` should be tried last."""
        return self.until.get(place, now) > now

    def claim(self, place: Place, now: float) -> bool:
        """Tell whether a client may try `place`, which is in doubt: when its pause is over, the
        first client that asks may, and the next pause begins. For others it stays in doubt.
        """
        until = self.until.get(place)
        if until is None or until > now:
            return False
        pause = self._pause[place] = min(2 * self._pause.get(place, DOUBT), _LONGEST)
        self.until[place] = now + pause
        self._tried.add(place)
        return True

    def endured(self, place: Place, now: float) -> bool:
        """Tell whether a client has tried `place`, and it did not fail until the pause was over:
        without connections (UDP) nothing else shows that it works.
        """
        return place in self._tried and not self.is_doubted(place, now)

    def forget(self, now: float) -> None:
        """Doubt addresses no longer that no client has tried for a while."""
        if self.until:
            self.until = {p: until for p, until in self.until.items() if until + DOUBT > now}
            self._pause = {p: pause for p, pause in self._pause.items() if p in self.until}
            self._tried &= self.until.keys()
            if not self.until:
                self._turned()
