"""Tell when a file has changed, by asking for its state and not for its text."""

from __future__ import annotations

import time
from pathlib import Path

__all__ = ["WatchedFile"]

# A file written twice within one tick of the kernel's clock (10 ms at 100 Hz) may have the same
# mtime and size both times; until this many ns have passed, it may change unseen.
_SETTLED = 100_000_000


class WatchedFile:
    """A file somebody else writes; `path` need not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._looked = False

    def changed(self) -> bool:
        """Tell whether the file may be another than at the last call; the first time it is.

        A file that cannot be asked for counts as one that is not there.
        """
        try:
            stat = self.path.stat()
        except OSError:
            seen = None
        else:
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        changed = seen != self._seen or not self._looked
        self._looked = seen is None or time.time_ns() - seen[1] > _SETTLED
        self._seen = seen
        return changed
