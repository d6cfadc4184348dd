"""Whether a file has changed: by its state, without reading it."""

from __future__ import annotations

import time
from pathlib import Path

__all__ = ["Stamp", "WatchedFile", "stamp"]

# A file written twice within one tick of the kernel's clock (10 ms at 100 Hz) may have the same
# times and size both times; until this many ns have passed, it may change unseen.
_SETTLED = 100_000_000

Stamp = tuple[int, ...]  # of one number where there is no file that can be asked for


def stamp(path: Path) -> Stamp:
    """Return what differs when the file at `path`, through links, has changed: 2 microseconds."""
    try:
        status = path.stat()
    except OSError as error:
        return (error.errno or 0,)
    # The time of the inode tells of a write that sets the time of the content back.
    return status.st_ctime_ns, status.st_mtime_ns, status.st_dev, status.st_ino, status.st_size


class WatchedFile:
    """A file that another program writes; `path` need not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: Stamp = ()
        self._settled = False

    def changed(self) -> bool:
        """Tell whether the file may be another than at the last call; the first time it is.

        A file that cannot be asked for counts as one that is not there.
        """
        now = stamp(self.path)
        there = len(now) > 1
        changed = not self._settled or (now != self._stamp and (there or len(self._stamp) > 1))
        self._settled = not there or time.time_ns() - now[0] > _SETTLED
        self._stamp = now
        return changed
