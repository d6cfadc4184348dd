"""The last bytes of a side whose connection was lost reach the other side before the reset does.

A reset drops the bytes that the kernel has not sent yet, or that are not acknowledged, so the reset
has to wait. No event reports the last acknowledgement, so it is looked for again and again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ambassador.planes.relay.side import Side

__all__ = ["Delivery"]

_FIRST = 0.005  # seconds to the second look; the next ones are twice as far each
_LONGEST = 0.25
# Seconds in which the reader acknowledges nothing: then it is not slow, it does not read.
_STALLED = 60.0


class Delivery:
    """Tells `reader`, the side that is still there, when all bytes for it are acknowledged, or none
    was acknowledged for a minute.
    """

    def __init__(self, reader: Side) -> None:
        self._reader = reader
        self._wait = _FIRST
        self._left = -1
        self._since = 0.0

    def look(self) -> None:
        """Look now, and again for as long as something is left."""
        left = self._reader.undelivered()
        if left is None:
            return
        now = time.monotonic()
        if left != self._left:
            self._left, self._since, self._wait = left, now, _FIRST
        if not left or now - self._since >= _STALLED:
            self._reader.delivered()
            return
        self._reader.poller.later(self._wait, self.look)
        self._wait = min(2 * self._wait, _LONGEST)
