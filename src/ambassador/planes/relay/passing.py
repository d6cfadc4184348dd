"""How a connected session is passed from one process to another: its two sockets, and its state
(`Passed`). No byte is lost, doubled or reordered, in any state.

Bytes that were read and not sent yet go along in an unnamed file, since they may be more than a
message holds. Bytes that the kernel has, received or to be sent, stay with the sockets.
"""

from __future__ import annotations

import io
import os
import socket
from typing import TYPE_CHECKING

from ambassador.core.session import Event, State
from ambassador.planes.relay.delivery import Delivery
from ambassador.planes.relay.options import reset
from ambassador.planes.relay.pair import Pair
from ambassador.planes.relay.side import Side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ambassador.planes.relay.worker_messages import Passed, PassedSide

__all__ = ["VERSION", "arrive", "file_of", "pack", "received", "restore", "take_out"]

VERSION = 1
_PASSABLE = frozenset(
    {
        State.OPEN, State.CLIENT_ENDED, State.UPSTREAM_ENDED, State.CLIENT_LOST,
        State.UPSTREAM_LOST, State.FINISHING,
    }
)  # fmt: skip
_FLAGS = ("ending", "ended", "finishing", "shut", "lost", "closed")


def pack(pair: Pair, event: Event) -> tuple[Passed, list[socket.SocketType], bytes] | None:
    """Return what is to be passed of `pair`: its state, its sockets (the client's first), and its
    unsent bytes (those for the client first). None where its state cannot be passed, or where one
    side speaks TLS: what OpenSSL knows stays in its process.
    """
    client, upstream = pair.client, pair.upstream
    if upstream is None or pair.state not in _PASSABLE:
        return None
    if not (client.passable and upstream.passable):
        return None
    from ambassador.planes.relay.worker_messages import Passed  # noqa: PLC0415 (when one is passed)

    sides = client, upstream
    unsent = b"".join(bytes(side.unsent) for side in sides if side.unsent is not None)
    socks = [side.sock for side in sides if not side.closed]
    passed = Passed(VERSION, pair.state, event, _side(client), _side(upstream))
    return passed, socks, unsent


def take_out(pair: Pair) -> None:
    """Watch and carry `pair` no longer, which has been passed. Its sockets stay open."""
    for side in (pair.client, pair.upstream):
        if side is not None:
            side.peer = side.to = side.delivery = None
            side.forget_unsent()
            if not side.closed:
                side.poller.remove(side.sock.fileno())


def arrive(pair: Pair, passed: Passed, upstream: Side, unsent: bytes) -> None:
    """Carry a session that was `passed`: the client of `pair` and `upstream` have its sockets.
    Raises OSError where they cannot be watched.
    """
    restore(pair, passed, upstream, unsent)
    for side, known in ((pair.client, passed.client), (upstream, passed.upstream)):
        if not side.closed:
            side.poller.add(side.sock.fileno(), side)  # it reports first what is so already
        if known.delivers and not side.closed:
            side.delivery = Delivery(side)
            side.delivery.look()


def restore(pair: Pair, passed: Passed, upstream: Side, unsent: bytes) -> None:
    """Set the state of `pair` to what was `passed`, and do nothing else yet; see `arrive`."""
    client = pair.client
    pair.upstream = upstream
    pair.state = passed.state
    client.peer, upstream.peer = upstream, client
    place = 0
    for side, known in ((client, passed.client), (upstream, passed.upstream)):
        side.received = known.received
        for number, name in enumerate(_FLAGS):
            setattr(side, name, bool(known.flags >> number & 1))
        side.to = side.peer if known.is_read else None
        if known.unsent:
            side.unsent = bytearray(unsent[place : place + known.unsent])
            side.poller.memory.add(known.unsent)
            place += known.unsent


def file_of(unsent: bytes) -> io.FileIO:
    """Return an unnamed file with `unsent`. Raises OSError."""
    file = io.FileIO(os.memfd_create("unsent", os.MFD_CLOEXEC), "r+")
    view = memoryview(unsent)
    while view:
        view = view[file.write(view) :]
    return file


def received(
    passed: Passed, descriptors: Sequence[int]
) -> tuple[socket.SocketType, socket.SocketType, bytes] | None:
    """Return the sockets of the client and of the upstream, and the unsent bytes, of a session that
    has come with `descriptors`; a side that is closed gets a closed socket. None where descriptors
    are missing, as none was free here, or where VERSION differs: sockets that came are reset then.
    """
    sides = passed.client, passed.upstream
    unsent = passed.client.unsent + passed.upstream.unsent
    there = [not side.flags >> _FLAGS.index("closed") & 1 for side in sides]
    if passed.version != VERSION or len(descriptors) != sum(there) + bool(unsent):
        for descriptor in descriptors:
            try:
                sock = socket.SocketType(fileno=descriptor)
            except OSError:  # the file
                os.close(descriptor)
            else:
                reset(sock)
                sock.close()
        return None
    left = list(descriptors)
    socks = [socket.SocketType(fileno=left.pop(0)) if one else _closed() for one in there]
    data = b""
    if unsent:
        data = os.pread(left[0], unsent, 0)
        os.close(left[0])
    return socks[0], socks[1], data


def _closed() -> socket.SocketType:
    sock = socket.SocketType()
    sock.close()
    return sock


def _side(side: Side) -> PassedSide:
    from ambassador.planes.relay.worker_messages import PassedSide  # noqa: PLC0415 (the same)

    flags = sum(bool(getattr(side, name)) << number for number, name in enumerate(_FLAGS))
    unsent = len(side.unsent) if side.unsent is not None else 0
    return PassedSide(side.received, unsent, side.to is not None, side.delivery is not None, flags)
