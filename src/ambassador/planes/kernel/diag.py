"""Messages of sock_diag(7), to find and to destroy sockets of this host. Pure.

The structures are those of include/uapi/linux/inet_diag.h: numbers in the byte order of the
machine, addresses and ports in that of the network.
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6, IPPROTO_TCP, inet_pton
from struct import Struct
from typing import NamedTuple

from ambassador.planes.kernel.entry import Address
from ambassador.planes.kernel.messages import ACK

__all__ = ["Found", "destroying", "failure", "found", "question"]

_REQUEST = 1  # NLM_F_REQUEST
_BY_FAMILY, _DESTROY = 20, 21  # SOCK_DIAG_BY_FAMILY, SOCK_DESTROY
_ERROR = 2  # NLMSG_ERROR
_HEADER = Struct("=LHHLL")
# struct inet_diag_req_v2 up to `id`, and the beginning of struct inet_diag_msg, which is as long.
_ABOUT = Struct("=BBBxL")
_ANSWER = Struct("=BBBB")
_ENDS = Struct("=2s2s16s16sL8s")  # struct inet_diag_sockid: ports, addresses, interface, cookie
_STATUS = Struct("=i")
_ALL_STATES, _NO_COOKIE = 0xFFFFFFFF, b"\xff" * 8  # INET_DIAG_NOCOOKIE
# States of include/net/tcp_states.h in which a socket is, or may be, of a connection that goes on:
# ESTABLISHED, SYN_SENT, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING.
_LIVING = (1, 2, 4, 5, 8, 9, 11)


class Found(NamedTuple):
    """A socket: whether its connection is open, and the cookie, which no other socket has."""

    living: bool
    cookie: bytes


def question(number: int, local: Address, remote: Address) -> bytes:
    """Return a request for the socket of a TCP connection; the answer may be a listening socket."""
    return _message(_BY_FAMILY, number, (local, remote), _NO_COOKIE)


def destroying(number: int, local: Address, remote: Address, cookie: bytes) -> bytes:
    """Return a request that ends a connection as a reset does, if its socket still has this cookie:
    its process gets ECONNABORTED (tcp_abort in the kernel's tcp.c).
    """
    return _message(_DESTROY, number, (local, remote), cookie)


def found(data: bytes) -> Found | None:
    """Return the socket in an answer; None where there is none, or the answer is not valid."""
    size = _HEADER.size + _ANSWER.size + _ENDS.size
    if len(data) < size or _HEADER.unpack_from(data)[1] != _BY_FAMILY:
        return None
    _, state, _, _ = _ANSWER.unpack_from(data, _HEADER.size)
    *_, cookie = _ENDS.unpack_from(data, _HEADER.size + _ANSWER.size)
    return Found(state in _LIVING, cookie)


def failure(data: bytes) -> int | None:
    """Return the error number of an answer, 0 for success; None where it has no such number."""
    if len(data) < _HEADER.size + _STATUS.size or _HEADER.unpack_from(data)[1] != _ERROR:
        return None
    return -int(_STATUS.unpack_from(data, _HEADER.size)[0])


def _message(kind: int, number: int, ends: tuple[Address, Address], cookie: bytes) -> bytes:
    local, remote = ends
    family = AF_INET6 if ":" in local[0] else AF_INET
    body = _ABOUT.pack(family, IPPROTO_TCP, 0, _ALL_STATES) + _ENDS.pack(
        local[1].to_bytes(2, "big"),
        remote[1].to_bytes(2, "big"),
        inet_pton(family, local[0]),
        inet_pton(family, remote[0]),
        0,
        cookie,
    )
    flags = _REQUEST | (ACK if kind == _DESTROY else 0)
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, number, 0) + body
