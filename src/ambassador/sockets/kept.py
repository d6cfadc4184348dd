"""Listening sockets that the service manager keeps for the next process, in case this one is
killed: systemd (FileDescriptorStoreMax=, sd_pid_notify_with_fds(3)), or process 1 of the image.
Meanwhile clients wait, and are not refused.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import quote

from ambassador.sockets.inherited import LentSocket, name_of
from ambassador.tasks import Slice

__all__ = ["KeptSockets", "apart"]

_OURS = "kept-"  # prefix of their names: no name of a socket unit has it
_PIECE = 50  # sockets sent before other work of the loop gets a turn
_AGAIN = 0.01  # seconds until the next try, where the service manager does not read fast enough


class KeptSockets:
    """Sends the sockets through `send`, which returns whether there was room for the message.
    Nothing is sent where the variable FDSTORE was not set: then no service manager keeps them.
    """

    def __init__(
        self, send: Callable[[Sequence[str], Sequence[int]], bool], *, wanted: bool
    ) -> None:
        self._send = send
        self._wanted = wanted
        self._kept: dict[str, int] = {}  # inode by name
        self._due: dict[str, LentSocket | socket.socket | None] = {}  # None: no longer to be kept
        self._timer: asyncio.Handle | None = None
        self._looks = 0  # number of calls of `look`: the result of an earlier one no longer counts

    def given(self, sockets: Iterable[tuple[str, LentSocket]]) -> None:
        """Note that these are kept already."""
        self._kept.update((name, _inode(sock)) for name, sock in sockets)

    async def look(self, sockets: Callable[[], Iterable[socket.socket]]) -> None:
        """Have the sockets that `sockets` returns kept, except lent ones, and no others."""
        if not self._wanted:
            return
        self._looks += 1
        mine = self._looks
        piece, here, new = Slice(), set[str](), dict[str, socket.socket]()
        for sock in sockets():
            await piece.end()
            if _is_ours(sock) and (name := _name(sock)):
                here.add(name)
                if self._kept.get(name) != _inode(sock):
                    new[name] = sock
        if self._wanted and mine == self._looks:  # still the latest look
            self._due = {**dict.fromkeys(self._kept.keys() - here), **new}
            self._tell_some()

    def forget(self) -> None:
        """Have none kept any more."""
        self._looks += 1
        if self._wanted:
            self._due = dict.fromkeys(self._kept)
            self._tell_some()

    def close(self) -> None:
        """Send nothing any more."""
        self._wanted = False
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _tell_some(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for name in list(self._due)[:_PIECE]:
            if not self._tell(name, self._due[name]):
                self._timer = asyncio.get_running_loop().call_later(_AGAIN, self._tell_some)
                return
            del self._due[name]
        if self._due:
            self._timer = asyncio.get_running_loop().call_soon(self._tell_some)

    def _tell(self, name: str, sock: socket.socket | None) -> bool:
        """Send a change of one socket; return whether it was sent."""
        if name in self._kept:
            if not self._send(("FDSTOREREMOVE=1", f"FDNAME={name}"), ()):
                return False
            del self._kept[name]
        if sock is not None and sock.fileno() >= 0:
            if not self._send(("FDSTORE=1", f"FDNAME={name}"), (sock.fileno(),)):
                return False
            self._kept[name] = _inode(sock)
        return True


def apart(
    given: Iterable[tuple[str, LentSocket]],
) -> tuple[list[tuple[str, LentSocket]], list[tuple[str, LentSocket]]]:
    """Return the sockets of a socket unit, and those that were kept."""
    units, kept = list[tuple[str, LentSocket]](), list[tuple[str, LentSocket]]()
    for name, sock in given:
        (kept if name.startswith(_OURS) else units).append((name, sock))
    return units, kept


def _is_ours(sock: socket.socket) -> bool:
    """Return whether `sock` is to be kept. A UDP socket is not: while the message that its route is
    gone is on its way, the address could not be bound again.
    """
    if sock.fileno() < 0 or sock.type != socket.SOCK_STREAM:
        return False
    return not (isinstance(sock, LentSocket) and sock.lent)


def _name(sock: socket.socket) -> str:
    """Return the name under which `sock` is kept; empty where it has no name in text."""
    name = name_of(sock)
    return _OURS + quote(name, safe="")[:240] if name else ""


def _inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino
