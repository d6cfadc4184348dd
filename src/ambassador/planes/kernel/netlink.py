"""A socket to the kernel's netfilter; messages.py has the format of its messages."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from array import array
from collections.abc import Callable
from struct import Struct

from ambassador.errors import PlaneError
from ambassador.planes.kernel.messages import DUMP, message, messages, outcome

__all__ = ["NetlinkSocket"]


_NETFILTER = 12  # NETLINK_NETFILTER
_ADD_MEMBERSHIP = 1  # NETLINK_ADD_MEMBERSHIP of SOL_NETLINK
_SOL_NETLINK = 270
_ATTACH_FILTER = 26  # SO_ATTACH_FILTER


# struct sock_fprog: how many instructions, and where they are; struct sock_filter has 8 bytes.
_PROGRAM = Struct("@HP")
_INSTRUCTION = 8

# Seconds without an answer after which a request has failed. The kernel answers within the call
# (netlink_unicast_kernel in af_netlink.c), so this happens only where no answer would ever come.
_PATIENCE = 5
_NO_ENOBUFS = 5  # NETLINK_NO_ENOBUFS of SOL_NETLINK
_BUFFER_FORCE = 33  # SO_RCVBUFFORCE
# SO_MEMINFO gives 32-bit numbers, of which SK_MEMINFO_DROPS is the ninth (sock_diag.h).
_MEMINFO, _DROPS = 55, Struct("=32xL")

# The largest piece the kernel makes of a dump is 32 KiB (netlink_recvmsg in af_netlink.c).
_PIECE = 65536


class NetlinkSocket:
    """A socket to netfilter in the network namespace of this process. Raises PlaneError."""

    def __init__(
        self, groups: tuple[int, ...] = (), buffer: int = 1 << 20, sieve: bytes = b""
    ) -> None:
        """`groups` are multicast groups to listen to; at most `buffer` bytes wait unread; `sieve`
        is a program (classic BPF) by which the kernel chooses the messages to send.
        """
        self._sequence = 0
        self._loop: asyncio.AbstractEventLoop | None = None  # the loop that watches the socket
        try:
            kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
            self.sock = socket.socket(socket.AF_NETLINK, kind, _NETFILTER)
            self.sock.bind((0, 0))
            self.sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVTIMEO, Struct("@ll").pack(_PATIENCE, 0)
            )
            try:  # beyond net.core.rmem_max
                self.sock.setsockopt(socket.SOL_SOCKET, _BUFFER_FORCE, buffer)
            except PermissionError:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            if sieve:
                program = array("B", sieve)  # the kernel copies it
                pointer, size = program.buffer_info()
                packed = _PROGRAM.pack(size // _INSTRUCTION, pointer)
                self.sock.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, packed)
            if groups:
                # An overrun must not be an error of the descriptor (libuv, and so uvloop, stops
                # watching a descriptor with an error): `drops` counts it.
                self.sock.setsockopt(_SOL_NETLINK, _NO_ENOBUFS, 1)
            for group in groups:
                self.sock.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
        except OSError as error:
            raise PlaneError(f"netlink: {_spoken(error.errno)}") from error

    def watch(self, hear: Callable[[], object]) -> None:
        """Have the running loop call `hear` whenever there is something to read."""
        self.sock.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.sock.fileno(), hear)

    def close(self) -> None:
        """Release the descriptor; nothing is watched any longer."""
        if self._loop is not None:
            self._loop.remove_reader(self.sock.fileno())
            self._loop = None
        self.sock.close()

    def drops(self) -> int:
        """Return how many messages have not fitted into the buffer, since the beginning (modulo
        2^32).
        """
        found = self.sock.getsockopt(socket.SOL_SOCKET, _MEMINFO, _DROPS.size)
        number: int = _DROPS.unpack(found)[0]
        return number

    def sequence(self) -> int:
        """Return a sequence number that no earlier request had."""
        self._sequence += 1
        return self._sequence

    def dump(self, kind: int, family: int, body: bytes) -> list[bytes]:
        """Return the pieces of a dump. Blocks for as long as the kernel walks its table."""
        sequence = self.sequence()
        self._send(message(kind, DUMP, sequence, family, body))
        pieces = []
        while True:
            data = self._receive()
            for answer, number, begin, _ in messages(data):
                if number != sequence:
                    continue
                error = outcome(data, answer, begin)
                if error:
                    raise PlaneError(f"conntrack: {_spoken(error)}")
                if error == 0:
                    pieces.append(data)
                    return pieces
            pieces.append(data)

    def ask(self, kind: int, family: int, body: bytes) -> bytes | None:
        """Return the answer to one request; None when the object does not exist."""
        sequence = self.sequence()
        self._send(message(kind, 0, sequence, family, body))
        while True:
            data = self._receive()
            for answer, number, begin, _ in messages(data):
                if number == sequence:
                    return data if outcome(data, answer, begin) is None else None

    def perform(self, requests: list[bytes]) -> dict[int, int]:
        """Send `requests` as one piece; the last one has ACK set, and all are numbered by
        `sequence`. Return the error numbers of requests that failed, by their numbers.
        """
        last = self._sequence
        self._send(b"".join(requests))
        errors: dict[int, int] = {}
        while True:
            data = self._receive()
            for answer, number, begin, _ in messages(data):
                error = outcome(data, answer, begin)
                if error:
                    errors[number] = error
                if error is not None and number == last:
                    return errors

    def transact(self, requests: list[bytes]) -> int:
        """Send `requests` as one piece, numbered by `sequence`; return the first error number, or 0
        when the last request with ACK is done.
        """
        last = self._sequence
        self._send(b"".join(requests))
        while True:
            data = self._receive()
            for answer, number, begin, _ in messages(data):
                error = outcome(data, answer, begin)
                if error or (error == 0 and number == last):
                    return error

    def _send(self, data: bytes) -> None:
        try:
            self.sock.send(data)
        except OSError as error:
            raise PlaneError(f"netlink: {_spoken(error.errno)}") from error

    def _receive(self) -> bytes:
        try:
            return self.sock.recv(_PIECE)
        except OSError as error:
            raise PlaneError(f"netlink: {_spoken(error.errno)}") from error


def _spoken(number: int | None) -> str:
    if number == errno.EAGAIN:
        return f"no answer from the kernel within {_PATIENCE} s"
    reason = os.strerror(number or 0).lower()
    return f"{reason} (CAP_NET_ADMIN is needed)" if number == errno.EPERM else reason
