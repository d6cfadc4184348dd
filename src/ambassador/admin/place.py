"""Where the admin socket is, for the program that serves it and for its clients."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = [
    "LONGEST",
    "all_beside",
    "beside",
    "called",
    "candidates",
    "is_name",
    "name_of",
    "of_our_own",
    "usable",
]

LONGEST = 40  # characters of a name; a path of a socket has room for 107 (unix(7))
_NAME = re.compile(r"(?!admin$)[A-Za-z0-9][A-Za-z0-9_-]*", re.ASCII)
# The number of a mount namespace counts from 0xf0000000 (PROC_DYNAMIC_FIRST, fs/proc/generic.c).
_OWN = re.compile(r"(.+)-(4\d{9})", re.ASCII)


def is_name(text: str) -> bool:
    """Return whether `text` can be the name of an ambassador."""
    return len(text) <= LONGEST and bool(_NAME.fullmatch(text)) and not _OWN.fullmatch(text)


def called(path: Path, name: str) -> Path:
    """Return where the ambassador called `name` has its socket, in the folder of `path`."""
    return path.with_name(f"{name}{path.suffix}") if name else path


def name_of(path: Path) -> str:
    """Return the name of the ambassador whose socket is at `path`; empty if it has none."""
    own = _OWN.fullmatch(path.stem)
    stem = own[1] if own else path.stem
    return stem if is_name(stem) else ""


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
    """Return where our socket is if `path` is taken by that of another container that shares the
    folder: the number of our mount namespace makes the name unique.
    """
    return path.with_name(f"{path.stem}-{Path('/proc/self/ns/mnt').stat().st_ino}{path.suffix}")


def beside(path: Path) -> list[Path]:
    """Return `path`, and every place in its folder that `of_our_own` has made."""
    return [path, *(one for one in _there(path) if _of(one) == path.stem and one != path)]


def all_beside(path: Path) -> list[Path]:
    """Return `path`, and every place in its folder that looks like an admin socket: a route may
    listen in the folder, too, and a caller that only looks must not connect to it.
    """
    return [path, *(one for one in _there(path) if one != path and _is_ours(one, path.stem))]


def _there(path: Path) -> list[Path]:
    try:
        return sorted(path.parent.glob(f"*{path.suffix}"))
    except OSError:  # not a folder for us to read
        return []


def _of(path: Path) -> str:
    own = _OWN.fullmatch(path.stem)
    return own[1] if own else ""


def _is_ours(path: Path, usual: str) -> bool:
    """Return whether a socket is an admin socket: by its name, by the socket of the hand-over
    beside it, or because only its owner may open it, which is not so for sockets of routes.
    """
    try:
        status = path.lstat()
    except OSError:
        return False
    if not stat.S_ISSOCK(status.st_mode):
        return False
    handing = path.with_name(f"{path.name}.upgrade").exists()
    return _of(path) == usual or handing or not status.st_mode & 0o177


def usable(path: Path) -> bool:
    """Make the folder of `path` if it is not there (mode 0700), and return whether we may serve
    there: we can write to it, and no other user has made it in a place that all may write to.
    """
    folder = path.parent
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()  # not stat: root must not write where another user's link leads
    except OSError:
        return False
    foreign = status.st_uid not in (os.geteuid(), 0)
    return os.access(folder, os.W_OK | os.X_OK) and stat.S_ISDIR(status.st_mode) and not foreign
