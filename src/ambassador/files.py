"""Files: whether a file has changed, by its state, without reading it; and replacing a whole
file.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from ambassador.errors import StoreError

__all__ = ["Stamp", "WatchedFile", "replace_file", "stamp"]

# A file written twice within one tick of the kernel's clock (10 ms at 100 Hz) may have the same
# times and size both times; until this many ns have passed, it may change unseen.
_SETTLED = 100_000_000

Stamp = tuple[int, ...]  # one number where there is no file that we may see


def stamp(path: Path) -> Stamp:
    """Return a value that differs when the file at `path` has changed, through links; takes 2
    microseconds.
    """
    try:
        status = path.stat()
    except OSError as error:
        return (error.errno or 0,)
    # The time of the inode shows also a write that sets the time of the content back.
    return status.st_ctime_ns, status.st_mtime_ns, status.st_dev, status.st_ino, status.st_size


class WatchedFile:
    """A file that another program writes; `path` need not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: Stamp = ()
        self._settled = False

    def changed(self) -> bool:
        """Tell whether the file may have changed since the last call; true at the first call.

        A file that we may not see counts as missing.
        """
        now = stamp(self.path)
        there = len(now) > 1
        changed = not self._settled or (now != self._stamp and (there or len(self._stamp) > 1))
        self._settled = not there or time.time_ns() - now[0] > _SETTLED
        self._stamp = now
        return changed


def replace_file(path: Path, text: str) -> None:
    """Replace the contents of `path` by `text`, or leave them as they are. Raises StoreError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            _write(beside, text)
            beside.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
        _sync_folder(path.parent)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise StoreError(f"{path} cannot be written: {why}") from error


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
