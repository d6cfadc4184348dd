"""The source address and the source port of a connection.

The kernel chooses the port, so that no two connections to one place have the same. Where no port is
free, that is not a failure of the endpoint: other source addresses are tried, then the ports of
connections that are over and only wait for late packets (TIME_WAIT). The kernel itself uses such
ports again only with tcp_tw_reuse, but it lets a socket be bound to one (tcp_twsk_unique of Linux:
where TCP timestamps tell the old connection from the new one; RFC 6191).
"""

from __future__ import annotations

import errno
import os
import random
import socket
import time
from collections.abc import Iterator, Sequence

from ambassador import log
from ambassador.core.known import ShortageView
from ambassador.sockets.sysctl import sysctl

__all__ = ["NO_PORT", "NoSourcePortError", "SourcePorts", "port_range"]

# Places for which shortages are counted: the last ones.
_PLACES = 64

_BEGUN = frozenset({0, errno.EINPROGRESS})
# connect(2): no port is free; the first for TCP, the second for UDP.
NO_PORT = frozenset({errno.EADDRNOTAVAIL, errno.EAGAIN})
# Looked up once: each look into a module takes 1 % of the time of a connection.
_INET, _INET6, _STREAM = int(socket.AF_INET), int(socket.AF_INET6), int(socket.SOCK_STREAM)
_NONBLOCK, _SOCKET, _REUSE = int(socket.SOCK_NONBLOCK), socket.SOL_SOCKET, socket.SO_REUSEADDR
_BIND_ADDRESS_NO_PORT = 24  # IP_BIND_ADDRESS_NO_PORT of linux/in.h; no name in Python 3.11
# Ports that are tried, since they may be in TIME_WAIT, before the connection fails: 5 us each.
_TRIES = 64
# Seconds for which the kernel is not asked again for a port: it looks at all, 1 ms for 28,000.
_SCARCE = 1.0
_SAY_AGAIN = 60.0  # seconds


class NoSourcePortError(OSError):
    """No source port is free for a connection to one place."""


def port_range() -> tuple[int, int]:
    """Return the first and the last port that the kernel gives to a connection (ip(7))."""
    first, last = sysctl("net.ipv4.ip_local_port_range")
    return first, last


class SourcePorts:
    """Makes sockets and begins to connect them."""

    def __init__(self) -> None:
        self._turn = 0
        self._scarce: dict[tuple[str, int], float] = {}  # places without a free port: until when
        self._said = -_SAY_AGAIN
        self.missed = 0  # connections for which the kernel found no free port
        self._met: dict[str, ShortageView] = {}  # by place, the last one last

    def connect(
        self, where: tuple[str, int], kind: int = socket.SOCK_STREAM, sources: Sequence[str] = ()
    ) -> socket.SocketType:
        """Return a non-blocking socket that is being connected to `where`, an IP literal and a
        port, from one of `sources` of its family (IP literals of this host), if there are any.

        Raises NoSourcePortError, and OSError where the connection fails at once.
        """
        if not sources and not self._scarce:  # nearly always
            sock = _socket(where, kind)
            error = sock.connect_ex(where)
            if error in _BEGUN:
                return sock
            sock.close()
            if error not in NO_PORT:
                raise OSError(error, os.strerror(error))
        stream = kind == socket.SOCK_STREAM
        if not (self._scarce and stream and self._is_scarce(where)):
            for source in self._addresses(where, sources):
                sock = _socket(where, kind)
                error = _begin(sock, source, 0, where)
                if error in _BEGUN:
                    return sock
                sock.close()
                if error not in NO_PORT:
                    raise OSError(error, os.strerror(error))
            self._short(where)
        self._count(where)
        if stream and (found := self._take_over(where, sources)) is not None:
            return found
        first, last = port_range()
        text = f"no source port is free (net.ipv4.ip_local_port_range is {first} {last})"
        raise NoSourcePortError(errno.EADDRNOTAVAIL, text)

    @property
    def shortages(self) -> tuple[ShortageView, ...]:
        """Places for which no port was free."""
        return tuple(self._met.values())

    @property
    def is_short(self) -> bool:
        """Whether a port was hard to find a moment ago, for some place."""
        return any(map(self._is_scarce, tuple(self._scarce)))

    def _is_scarce(self, where: tuple[str, int]) -> bool:
        if self._scarce.get(where, 0.0) > time.monotonic():
            return True
        self._scarce.pop(where, None)
        return False

    def _addresses(self, where: tuple[str, int], sources: Sequence[str]) -> Sequence[str]:
        """Return the source addresses to try, in order; with an empty one the kernel chooses."""
        if not sources:
            return ("",)
        family = [one for one in sources if (":" in one) == (":" in where[0])] or [""]
        self._turn += 1
        start = self._turn % len(family)
        return [*family[start:], *family[:start]]

    def _take_over(
        self, where: tuple[str, int], sources: Sequence[str]
    ) -> socket.SocketType | None:
        for source in self._addresses(where, sources):
            for port in _some(*port_range()):
                sock = _socket(where, socket.SOCK_STREAM)
                if _begin(sock, source, port, where) in _BEGUN:
                    return sock
                sock.close()
        return None

    def _count(self, where: tuple[str, int]) -> None:
        self.missed += 1
        place = _place(where)
        times = self._met.pop(place).times if place in self._met else 0
        self._met[place] = ShortageView(place, times + 1, time.time())
        if len(self._met) > _PLACES:
            del self._met[next(iter(self._met))]

    def _short(self, where: tuple[str, int]) -> None:
        now = time.monotonic()
        self._scarce[where] = now + _SCARCE
        if now - self._said < _SAY_AGAIN:
            return
        self._said = now
        first, last = port_range()
        place = _place(where)
        log.event(
            log.WARNING,
            "source_ports_short",
            f"the kernel finds no free source port for {place}: the {last - first + 1} of "
            f"net.ipv4.ip_local_port_range ({first}-{last}) are in use or in TIME_WAIT. This is no "
            "failure of the endpoint; ports in TIME_WAIT are used again where they can be. Give "
            'more: sysctl net.ipv4.ip_local_port_range="1024 65535", net.ipv4.tcp_tw_reuse=1, or '
            "more source addresses (..._SOURCE=10.0.0.5,10.0.0.6)",
            place=place,
            first=first,
            last=last,
        )


def _place(where: tuple[str, int]) -> str:
    host, port = where
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _socket(where: tuple[str, int], kind: int) -> socket.SocketType:
    sock = socket.SocketType(_INET6 if ":" in where[0] else _INET, kind | _NONBLOCK, 0)
    if kind == _STREAM:
        # Its port can be used again in TIME_WAIT only if both sockets have this option.
        sock.setsockopt(_SOCKET, _REUSE, 1)
    return sock


def _begin(sock: socket.SocketType, source: str, port: int, where: tuple[str, int]) -> int:
    """Begin to connect `sock`; return the error, as connect_ex does. Raises OSError where this
    host does not have the address `source`.
    """
    if source and not port:
        sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
    if source or port:
        try:
            sock.bind((source, port))
        except OSError as error:
            if port or error.errno not in (errno.EADDRNOTAVAIL, errno.EINVAL):
                return error.errno or errno.EIO
            sock.close()
            text = f"this host does not have the source address {source}"
            raise OSError(errno.EINVAL, text) from error
    return sock.connect_ex(where)


def _some(first: int, last: int) -> Iterator[int]:
    count = last - first + 1
    start = random.randrange(count)
    for number in range(min(_TRIES, count)):
        yield first + (start + number) % count
