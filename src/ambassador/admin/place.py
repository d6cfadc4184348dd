"""Where the admin socket is, for the program that serves it and the one that asks."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["beside", "candidates", "of_our_own", "usable"]


def candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield where the socket may be, the best place first.

    /run/ambassador is made by the image and by systemd; XDG_RUNTIME_DIR is the user's own
    (XDG Base Directory Specification); /dev/shm is a file system in memory that a container has
    even when its root is read-only.
    """
    yield Path("/run/ambassador/admin.sock")
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime, "ambassador", "admin.sock")
    yield Path(f"/dev/shm/ambassador-{os.geteuid()}/admin.sock")  # noqa: S108 (see `usable`)


def of_our_own(path: Path) -> Path:
    """Return where the socket is when that of another container, with which we share the folder,
    is at `path`: containers have mount namespaces of their own.
    """
    return path.with_name(f"{path.stem}-{Path('/proc/self/ns/mnt').stat().st_ino}{path.suffix}")


def beside(path: Path) -> list[Path]:
    """Return `path`, and every place of `of_our_own` that is there in its folder."""
    try:
        return [path, *sorted(path.parent.glob(f"{path.stem}-*{path.suffix}"))]
    except OSError:  # not a folder for us to read
        return [path]


def usable(path: Path) -> bool:
    """Make the folder of `path` if need be (mode 0700) and tell whether we may serve there: it
    is ours to write, and not a folder another user has made in a place that all may write.
    """
    folder = path.parent
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()  # a link may lead where root may write, and others must not
    except OSError:
        return False
    foreign = status.st_uid not in (os.geteuid(), 0)
    return os.access(folder, os.W_OK | os.X_OK) and stat.S_ISDIR(status.st_mode) and not foreign
