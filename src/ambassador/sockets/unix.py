"""Unix sockets at a path: create, replace and remove their files, and find out which process is at
the other end. The admin socket, the hand-over and the listeners of routes use the same code.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from contextlib import suppress
from pathlib import Path

__all__ = [
    "Identity",
    "PathSocket",
    "identity",
    "is_replaced",
    "listen",
    "peer",
    "remove",
    "remove_stale",
    "take_place",
]

Identity = tuple[int, int]  # device and inode of a file
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid (unix(7))


class PathSocket(socket.socket):
    """A socket that may have a file of its own, which `remove` removes."""

    # Its path and identity; after a rename, `getsockname` returns the old path.
    file: tuple[str, Identity] | None = None
    goal: Path | None = None  # where `take_place` moves it

    def own_file(self, path: str | Path) -> None:
        """The file at `path`, if there is one, is ours to remove from now on."""
        found = identity(path)
        self.file = (str(path), found) if found else None


def listen(
    path: Path,
    backlog: int,
    kind: int = socket.SOCK_STREAM,
    *,
    private: bool = False,
    replace: bool = False,
    later: bool = False,
) -> PathSocket:
    """Return a non-blocking socket that listens at `path`.

    A socket file on which no process listens any more is removed. With `replace` the socket takes
    the place of any socket there, in one step: at each moment a process listens. With `private`
    only our user can connect (mode 0600). `later`: it takes the place only with `take_place`.

    Raises OSError: EADDRINUSE where another process listens there, EEXIST where the file is no
    socket; that file is left as it is.
    """
    sock = PathSocket(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK)
    # With `replace`, a file beside it is renamed over it: bind(2) does not replace a file,
    # rename(2) does.
    place = path.with_name(f".{path.name}.{os.getpid()}") if replace else path
    bound = False
    # Between bind and chmod others could connect; the mask prevents that.
    mask = os.umask(0o177) if private else None
    try:
        if replace:
            _refuse_other_file(path)
        remove_stale(place)
        sock.bind(str(place))
        bound = True
        sock.listen(backlog)
        sock.own_file(place)
        if replace:
            sock.goal = path
        if replace and not later:
            take_place(sock)
    except BaseException:
        if bound:
            place.unlink(missing_ok=True)
        sock.close()
        raise
    finally:
        if mask is not None:
            os.umask(mask)
    return sock


def take_place(sock: PathSocket) -> None:
    """Put `sock`, which was created to replace another, in its place, in one step. Raises
    OSError.
    """
    if sock.file is not None and sock.goal is not None:
        Path(sock.file[0]).replace(sock.goal)
        sock.own_file(sock.goal)
        sock.goal = None


def is_replaced(sock: PathSocket) -> bool:
    """Return whether the file of `sock` is gone, or another file is in its place."""
    return sock.file is None or identity(sock.file[0]) != sock.file[1]


def remove_stale(path: Path) -> None:
    """Remove the socket at `path` if no process listens there. Raises OSError as `listen` does."""
    if not _refuse_other_file(path):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            # EAGAIN: its backlog is full; EPROTOTYPE: it is of another kind (connect(2)). In
            # both cases a process listens.
            if error.errno not in (errno.EAGAIN, errno.EPROTOTYPE):
                raise
    raise OSError(errno.EADDRINUSE, "another process listens there")


def identity(path: str | Path) -> Identity | None:
    """Return the identity of the file at `path`; None where there is none that we may see."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def remove(sock: PathSocket) -> None:
    """Remove the file of `sock`, which is still open, unless another file has taken its place.

    While our socket is open no other file can have its inode number; afterwards one may.
    """
    if sock.file is None or sock.fileno() < 0:
        return
    (path, file), sock.file = sock.file, None
    with suppress(OSError):  # the file is gone already, or its folder is
        if identity(path) == file:
            Path(path).unlink()


def peer(sock: socket.socket) -> tuple[int, int]:
    """Return pid and user of the process at the other end (SO_PEERCRED of unix(7))."""
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, user, _ = _CREDENTIALS.unpack(raw)
    return pid, user


def _refuse_other_file(path: Path) -> bool:
    """Return whether there is a socket. Raises FileExistsError where there is a file of another
    type.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "a file that is not a socket stands there")
    return True
