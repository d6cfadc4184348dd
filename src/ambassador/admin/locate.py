"""Which ambassador is meant where no admin socket is named: our own, and no stranger's.

Containers may share /dev/shm or /run, and everybody may make a folder in /dev/shm. So before a word
is said it is looked at who listens: SO_PEERCRED (unix(7)) tells user and process, 0 for a process
that is in another PID namespace than ours and not below it (pid_vnr in net/core/sock.c).
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from ambassador.admin.place import beside, candidates
from ambassador.errors import NobodyError, RunError
from ambassador.sockets.unix import peer

__all__ = ["find", "serves_elsewhere"]

_AGAIN = 0.05


class _Near(IntEnum):
    """How near a process is; the nearest one is meant."""

    ELSEWHERE = 0  # in another container
    BELOW = 1  # in a container of this host, which we see
    HERE = 2  # in our PID namespace, with other file systems
    OURS = 3


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    pid: int
    user: int
    near: _Near


def find(environ: Mapping[str, str], named: str = "") -> Path:
    """Return the admin socket: the one `named`, else that of the ambassador nearest to us.

    Raises NobodyError when there is none, RunError when we may not ask it, or must not, or when
    several are as near.
    """
    places = (
        [Path(named)] if named else [path for one in candidates(environ) for path in beside(one)]
    )
    found: list[_Found] = []
    refusals: list[str] = []
    for path in places:
        try:
            one = _look(path)
        except PermissionError:
            refusals.append(f"not allowed to ask the ambassador at {path}")
            continue
        except OSError:
            continue
        if named:
            return path
        if why := _mistrust(one):
            refusals.append(why)
        elif not any(one.pid and one.pid == other.pid for other in found):
            found.append(one)
    nearest = max((one.near for one in found), default=_Near.ELSEWHERE)
    best = [one for one in found if one.near is nearest]
    if nearest is not _Near.ELSEWHERE:
        if len(best) == 1:
            return best[0].path
        several = ", ".join(f"{one.path} (process {one.pid})" for one in best)
        raise RunError(
            f"{len(best)} ambassadors run here: {several}; say which one is meant: "
            f"--admin {best[0].path}"
        )
    if refusals:
        raise RunError("; ".join(refusals))
    others = [str(one.path) for one in best]
    other = (
        f"; that at {', '.join(others)} is of another container (--admin {others[0]} asks it)"
        if others
        else ""
    )
    raise NobodyError(
        f"no ambassador is running here: nobody answers at {', '.join(map(str, places))}{other}; "
        "start one with: ambassador run REDIS_PORT_6379_TCP=tcp://HOST:6379"
    )


def _places(environ: Mapping[str, str]) -> Iterator[Path]:
    for one in candidates(environ):
        yield from beside(one)


def serves_elsewhere(path: Path) -> bool:
    """Return whether an ambassador of another container listens at `path`, which we share."""
    try:
        return _look(path).near is not _Near.OURS
    except OSError:
        return False


def _look(path: Path) -> _Found:
    """Return the process and user that listen at `path`. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # A backlog that is full is one of somebody who listens (connect(2)); wait a little.
        probe.settimeout(_AGAIN)
        try:
            probe.connect(str(path))
        except (BlockingIOError, TimeoutError):
            return _Found(path, 0, path.stat().st_uid, _Near.OURS)
        pid, user = peer(probe)
    return _Found(path, pid, user, _nearness(pid))


def _nearness(pid: int) -> _Near:
    if not pid:
        return _Near.ELSEWHERE
    if not _shared(pid, "pid"):
        return _Near.BELOW
    return _Near.OURS if _shared(pid, "mnt") else _Near.HERE


def _shared(pid: int, namespace: str) -> bool:
    """Return whether process `pid` is in the same namespace as we; where we may not look (it is of
    another user), it is taken to be.
    """
    try:
        theirs, mine = (Path(f"/proc/{one}/ns/{namespace}").readlink() for one in (pid, "self"))
    except OSError:
        return True
    return theirs == mine


def _mistrust(one: _Found) -> str:
    """Return why nothing must be said to `one`; nothing where it may be trusted: it listens as we,
    as root, or as the owner of a folder that only root could have given it.
    """
    folder = one.path.parent
    try:
        status, above = folder.lstat(), folder.parent.stat()
    except OSError as error:
        return f"{folder}: {error.strerror or error}"
    ours = (os.geteuid(), 0)
    open_to_all = above.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if stat.S_ISLNK(status.st_mode) or (status.st_uid not in ours and open_to_all):
        return f"{folder} belongs to user {status.st_uid}, and what is there is not asked"
    if one.user not in (*ours, status.st_uid):
        return f"{one.path} is served by user {one.user}, and is not asked"
    return ""
