"""Learn that a file has changed, by looking at it.

Once a second, and not by inotify(7): that tells nothing of a file that is bound into a container
from a host's network file system, and it follows an inode, while an editor and a ConfigMap of
Kubernetes (two links deep) put another in its place. A look takes 2 microseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

__all__ = ["FileWatch"]

_SETTLING = 0.1  # seconds in which a file that is being written must not have changed
_Stamp = tuple[int, ...]


class FileWatch:
    """Looks at `path`, through links, every `interval` seconds while `run` runs.

    A change counts from the moment this object is made, and is told once it is over: while a file
    is still written, two looks differ.
    """

    def __init__(self, path: Path, changed: Callable[[], Awaitable[object]], interval: float = 1.0):
        self._path = path
        self._changed = changed
        self._interval = interval
        self._stamp = self._look()

    async def run(self) -> None:
        """Await `changed` after each change, until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            if self._look() == self._stamp:
                continue
            self._stamp = await self._settled()
            await self._changed()

    async def _settled(self) -> _Stamp:
        stamp = self._look()
        while True:
            await asyncio.sleep(_SETTLING)
            former, stamp = stamp, self._look()
            if stamp == former:
                return stamp

    def _look(self) -> _Stamp:
        try:
            status = self._path.stat()
        except OSError as error:
            return (error.errno or 0,)
        # The time of the inode tells of a write that sets the time of the content back.
        return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size
