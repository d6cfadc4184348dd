"""Listening sockets that were created before this process started: by the ambassador it takes over
from, or by systemd. A socket is recognised by the address it is bound to.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterable
from contextlib import suppress

from ambassador.model import Address, Inet, Proto, Unix
from ambassador.sockets.bind import dual_stack
from ambassador.sockets.unix import PathSocket

__all__ = ["Inherited", "LentSocket", "address_of", "end_listening", "name_of"]

_EVERYWHERE = ("", "::")


class LentSocket(PathSocket):
    """A socket that another process has, too: while it is `lent`, its file is not ours."""

    lent = True

    def own(self) -> None:
        """Make it ours: no other process needs it any more."""
        self.lent = False
        name = self.getsockname()
        if self.family == socket.AF_UNIX and name and isinstance(name, str):
            self.own_file(name)


class Inherited:
    """Sockets to take instead of binding new ones, each once.

    With `lasting` they stay here, and `take` returns a copy: a route that is removed and added
    again finds its socket; sockets `left` by a killed process are not kept so. While they are
    `provisional`, the process that lent them may continue to use them: nothing is accepted from
    them, and none of their files is removed.
    """

    def __init__(
        self,
        sockets: Iterable[LentSocket] = (),
        *,
        provisional: bool = False,
        lasting: bool = False,
        left: Iterable[LentSocket] = (),
    ) -> None:
        self.provisional = provisional
        self._lasting = lasting
        self._untaken: set[LentSocket] = set()
        self._ours = list(left)
        self._left = [*sockets, *self._ours]
        self._untaken.update(self._left)
        self._taken: list[LentSocket] = []

    def take(self, proto: Proto, address: Address) -> LentSocket | None:
        """Return the socket that is bound to `address` (one port), if there is one."""
        for sock in self._left:
            if _serves(sock, proto, address):
                return self._take(sock)
        return None

    def take_abstract(self, name: str) -> LentSocket | None:
        """Return the unix socket with this abstract name (unix(7)), if there is one."""
        for sock in self._left:
            if sock.family == socket.AF_UNIX and sock.getsockname() == name.encode():
                return self._take(sock)
        return None

    def own(self, kept: Collection[LentSocket] = ()) -> None:
        """No other process needs the sockets that were taken any more, except those `kept`."""
        self.provisional = False
        for sock in self._taken:
            if sock not in kept:
                sock.own()
        self._taken.clear()

    @property
    def untaken(self) -> list[str]:
        """The names of the sockets that no route has taken yet."""
        return [name for sock in self._left if sock in self._untaken and (name := name_of(sock))]

    def close_rest(self) -> list[str]:
        """Close the sockets that no route took; return their names."""
        return self._close(self._left)

    def close_left(self) -> list[str]:
        """Close the sockets that a killed process has left and no route took; return their
        names.
        """
        return self._close([sock for sock in self._left if sock in self._ours])

    def _close(self, socks: list[LentSocket]) -> list[str]:
        names = [name for sock in socks if (name := name_of(sock))]
        for sock in socks:
            sock.close()
            self._untaken.discard(sock)
        self._left = [sock for sock in self._left if sock not in socks]
        return names

    def _take(self, sock: LentSocket) -> LentSocket:
        self._untaken.discard(sock)
        if self._lasting and sock not in self._ours:
            sock = LentSocket(fileno=os.dup(sock.fileno()))
        else:
            self._left.remove(sock)
            self._taken.append(sock)
        sock.setblocking(False)
        return sock


def _serves(sock: socket.socket, proto: Proto, address: Address) -> bool:
    kind = socket.SOCK_STREAM if proto is Proto.TCP else socket.SOCK_DGRAM
    if sock.type != kind or (proto is Proto.TCP and not _listens(sock)):
        return False
    name = sock.getsockname()
    if isinstance(address, Unix):
        return sock.family == socket.AF_UNIX and name == address.path
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or name[1] != address.port:
        return False
    if address.host not in _EVERYWHERE:
        return bool(name[0] == address.host)
    if sock.family == socket.AF_INET:  # this matches all addresses, where the system has no IPv6
        return name[0] == "0.0.0.0" and not dual_stack()
    return name[0] == "::" and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


def _listens(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def name_of(sock: socket.socket) -> str:
    """Return the name of a listener for people; empty for any other socket."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f"unix://{name}" if isinstance(name, str) and name else ""
    proto = "tcp" if sock.type == socket.SOCK_STREAM else "udp"
    return (
        f"{proto}://[{name[0]}]:{name[1]}" if ":" in name[0] else f"{proto}://{name[0]}:{name[1]}"
    )


def address_of(sock: socket.socket) -> Address | None:
    """Return the address that an IP socket or a unix socket with a path is bound to; else None."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return Unix(name) if isinstance(name, str) and name else None
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    dual = name[0] == "::" and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    return Inet("" if dual else name[0], name[1])


def end_listening(sock: socket.socket) -> None:
    """Stop listening on `sock`, also where a stopped worker still has it open."""
    if not (isinstance(sock, LentSocket) and sock.lent):  # else other processes may need it
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
