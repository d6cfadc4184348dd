"""Notice that a file has changed, by looking at it once a second.

inotify(7) is not used: it reports nothing about a file that is mounted into a container from a
network file system of the host. And it follows an inode, while editors and ConfigMaps of Kubernetes
(two links deep) put another inode in its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from ambassador import log
from ambassador.errors import in_words
from ambassador.files import Stamp, stamp

__all__ = ["FileWatch", "is_open_for_writing"]

_REST = 1.0  # seconds without a change after which a file counts as complete
_LOOKS = 10  # looks in that time
_LONGEST_WRITTEN = 30.0  # seconds after which a file is read although it is still being written
_LONGEST_REPLACED = 2.0  # the same if it is replaced again and again: each new file is complete
_RETRY, _RETRY_LONGEST = 1.0, 30.0  # seconds until `changed` is called again after an error


class FileWatch:
    """Looks at `path`, through links, every `interval` seconds while `run` runs.

    Changes count from the moment this object is made. A change is reported once the file has
    rested: for `rest` seconds it has not changed, and no process has it open for writing.
    """

    def __init__(
        self,
        path: Path,
        changed: Callable[[], Awaitable[object]],
        interval: float = 1.0,
        rest: float = _REST,
    ) -> None:
        self._path = path
        self._changed = changed
        self._interval = interval
        self._rest = rest
        self._stamp = stamp(self._path)
        # If it is true of a file at rest (on NFS, or with an editor that keeps the file open), it
        # says nothing about changes.
        self._tells_writers = not is_open_for_writing(path)

    async def run(self) -> None:
        """Await `changed` after each change, until cancelled. What `changed` raises is logged, and
        `changed` is called again after 1, 2, 4, ... 30 s.
        """
        pause = _RETRY
        while True:
            await asyncio.sleep(self._interval)
            if stamp(self._path) == self._stamp:
                continue
            rested = await self._rested()
            try:
                await self._changed()
            except Exception as error:
                text = f"{self._path} has changed and could not be read: {in_words(error)}"
                log.event(log.ERROR, "watch_failed", text, path=str(self._path), error=repr(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, _RETRY_LONGEST)
            else:
                self._stamp, pause = rested, _RETRY

    async def _rested(self) -> Stamp:
        """Return the stamp of the file once it has rested, or after the longest wait."""
        loop = asyncio.get_running_loop()
        began = last = loop.time()
        longest = _LONGEST_REPLACED
        with _Opened(self._path) as opened:
            now = stamp(self._path)
            while loop.time() - last < self._rest and loop.time() - began < longest:
                await asyncio.sleep(self._rest / _LOOKS)
                earlier, now = now, stamp(self._path)
                another = opened.again()
                if (now != earlier and not another) or (
                    self._tells_writers and opened.is_written()
                ):
                    longest = _LONGEST_WRITTEN
                    last = loop.time()
                elif now != earlier:
                    last = loop.time()
        return now


class _Opened:
    """The file at `path`, kept open so that no other file can get the number of its inode."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = _open(path)

    def __enter__(self) -> _Opened:
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def again(self) -> bool:
        """Open the file that is at the path now; return whether it is another file."""
        earlier, self._descriptor = self._descriptor, _open(self._path)
        if earlier is None or self._descriptor is None:
            another = earlier is not self._descriptor
        else:
            another = not os.path.samestat(os.fstat(earlier), os.fstat(self._descriptor))
        if earlier is not None:
            os.close(earlier)
        return another

    def is_written(self) -> bool:
        """Return whether a process has it open for writing, as far as the kernel tells: then the
        kernel refuses a read lease (EAGAIN; fcntl(2), "Leases"). The lease is given back at once; a
        process that opens the file in that moment has to wait until then.
        """
        if self._descriptor is None:
            return False
        try:
            # SIGURG does nothing by default; the usual signal, SIGIO, would end the program.
            fcntl.fcntl(self._descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(self._descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError:
            return True
        except OSError:  # not our file, or a file system without leases: it cannot be told
            return False
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None


def is_open_for_writing(path: Path) -> bool:
    """Return whether a process has the file at `path` open for writing, if the kernel tells."""
    with _Opened(path) as opened:
        return opened.is_written()
