"""Which ambassador is meant if no admin socket is named: one of ours, never one of another user.

Containers may share /dev/shm or /run, and any user may make a folder in /dev/shm. So before a
request is sent, the user and the process that listen are looked at: SO_PEERCRED (unix(7)) tells
them; the process is 0 if it is in another PID namespace that is not below ours (pid_vnr in
net/core/sock.c).
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from ambassador.admin.place import all_beside, beside, called, candidates, name_of
from ambassador.errors import NobodyError, RunError
from ambassador.sockets.unix import peer

__all__ = [
    "ANSWERS",
    "DEAD",
    "DENIED",
    "FOREIGN",
    "MISTRUSTED",
    "Seen",
    "answers",
    "every",
    "find",
    "serves_elsewhere",
]

_AGAIN = 0.05


class _Near(IntEnum):
    """How near a process is; the nearest ambassador is meant."""

    ELSEWHERE = 0  # in another container
    BELOW = 1  # in a container of this host whose processes we see
    HERE = 2  # in our PID namespace, with other file systems
    OURS = 3  # with our PID namespace and file systems


class _Found(NamedTuple):
    path: Path
    pid: int
    user: int
    near: _Near


def find(environ: Mapping[str, str], named: str = "", name: str = "") -> Path:
    """Return the admin socket: the one whose path is `named`, else that of the nearest ambassador;
    with `name`, of the nearest ambassador of this name.

    Raises NobodyError when there is none, RunError when we have no right to ask it, when it is not
    trusted, or when several are equally near.
    """
    places = [Path(named)] if named else list(_places(environ, name))
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
        raise RunError(_several(best))
    if refusals:
        raise RunError("; ".join(refusals))
    raise NobodyError(_nobody(environ, places, best, name))


def _several(found: Sequence[_Found]) -> str:
    """Return which ambassadors there are, and how to name the one that is meant: by its name, if it
    has one.
    """
    told = ", ".join(
        f"{name_of(one.path) or 'one without a name'} at {one.path} (process {one.pid})"
        for one in found
    )
    first = next((one for one in found if name_of(one.path)), found[0])
    names = [name_of(one.path) for one in found]
    name = name_of(first.path)
    which = f"--name {name}" if names.count(name) == 1 and name else f"--admin {first.path}"
    return f"{len(found)} ambassadors run here: {told}; say which one is meant: {which}"


def _nobody(
    environ: Mapping[str, str], places: Sequence[Path], elsewhere: Sequence[_Found], name: str
) -> str:
    others = [str(one.path) for one in elsewhere]
    other = (
        f"; that at {', '.join(others)} is of another container (--admin {others[0]} asks it)"
        if others
        else ""
    )
    asked = f"nothing answers at {', '.join(map(str, places))}{other}"
    if not name:
        return (
            f"no ambassador is running here: {asked}; "
            "start one with: ambassador run REDIS_PORT_6379_TCP=tcp://HOST:6379"
        )
    names = sorted({one.name for one in every(environ) if one.state == ANSWERS and one.name})
    there = f"there {'is' if len(names) == 1 else 'are'} {', '.join(names)}" if names else ""
    return (
        f"no ambassador called {name} is running here: {asked}; "
        f"{there or f'start one with: ambassador run --name {name} ...'}"
    )


# What `every` says of a place.
ANSWERS, DEAD, DENIED, FOREIGN, MISTRUSTED = (
    *("answers", "dead", "denied", "other container", "not asked"),
)


class Seen(NamedTuple):
    """A place where an ambassador is, or was: `why` says why it cannot be asked."""

    path: Path
    name: str
    state: str
    pid: int = 0
    why: str = ""


def every(environ: Mapping[str, str]) -> list[Seen]:
    """Return every place where there is an admin socket, of whatever process, each process once:
    first the one that AMBASSADOR_ADMIN names, which every verb uses.
    """
    found: list[Seen] = []
    own = environ.get("AMBASSADOR_ADMIN", "")
    named = [Path(own)] if own.startswith("/") else []
    for path in dict.fromkeys((*named, *_places(environ, ""))):
        one = _seen(path)
        if one is not None and not (one.pid and any(one.pid == other.pid for other in found)):
            found.append(one)
    return found


def _seen(path: Path) -> Seen | None:
    try:
        one = _look(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        return Seen(path, name_of(path), *_silence(path, error))
    state, why = ANSWERS, _mistrust(one)
    if why:
        state = MISTRUSTED
    elif one.near is _Near.ELSEWHERE:
        state, why = FOREIGN, f"--admin {path} asks it"
    return Seen(path, name_of(path), state, one.pid, why)


def _silence(path: Path, error: OSError) -> tuple[str, int, str]:
    if isinstance(error, ConnectionRefusedError):
        return DEAD, 0, f"no process listens there any longer; rm {path}"
    return DENIED, 0, (error.strerror or str(error)).lower()


def _places(environ: Mapping[str, str], name: str) -> Iterator[Path]:
    for one in candidates(environ):
        yield from beside(called(one, name)) if name else all_beside(one)


def serves_elsewhere(path: Path) -> bool:
    """Return whether an ambassador of another container listens at `path`, in a shared folder."""
    try:
        return _look(path).near is not _Near.OURS
    except OSError:
        return False


def answers(path: Path) -> bool:
    """Return whether a process listens at `path`."""
    try:
        return bool(_look(path))
    except OSError:
        return False


def _look(path: Path) -> _Found:
    """Return the process and user that listen at `path`. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # A full backlog means that a process listens (connect(2)); wait a little.
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
    """Return whether process `pid` is in the same namespace as this one; also if we may not look,
    because the process belongs to another user.
    """
    try:
        theirs, mine = (Path(f"/proc/{one}/ns/{namespace}").readlink() for one in (pid, "self"))
    except OSError:
        return True
    return theirs == mine


def _mistrust(one: _Found) -> str:
    """Return why no request must be sent to `one`; empty if it may be trusted: its user is ours,
    root, or the owner of a folder that only root can have given to that user.
    """
    folder = one.path.parent
    try:
        status, above = folder.lstat(), folder.parent.stat()
    except OSError as error:
        return f"{folder}: {error.strerror or error}"
    ours = (os.geteuid(), 0)
    open_to_all = above.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if stat.S_ISLNK(status.st_mode) or (status.st_uid not in ours and open_to_all):
        return f"{folder} belongs to user {status.st_uid}, and is not asked"
    if one.user not in (*ours, status.st_uid):
        return f"{one.path} is served by user {one.user}, and is not asked"
    return ""
