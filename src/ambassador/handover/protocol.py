"""What the two processes of a handover say to each other: JSON messages, some with descriptors.

    successor                        predecessor
    hello (protocol, version)   ─▶
                                ◀─   welcome (how many), a file with the operator's wishes
    more                        ─▶
                                ◀─   sockets, as many as fit (unix(7) SCM_RIGHTS)
    ready                       ─▶                       it listens, but accepts nothing yet
                                ◀─   yours               the predecessor accepts nothing any longer
    done                        ─▶                       it is ready to accept
                                ◀─   bye (how many), a file with what was counted, and connections
                                     to earlier processes that still have sessions: no way back
                                ◀─   earlier, more of these, as many as fit

Only then the successor takes the place of the admin socket: one that stands still before has taken
nothing away.

Instead of any of its answers the predecessor may say `no` and why. Whoever reads the end of the
connection knows that the other one has failed.

While sessions go on in the predecessor, the successor may ask on the same connection, as often as
it likes; each question has a word `n` of its own, which the answer repeats:

    numbers (n)                 ─▶
    sessions (n)                ─▶
    cut (n, reason), a file with ids
                                ◀─   answer (n), a file
                                ◀─   farewell, a file with what was counted: it ends
"""

from __future__ import annotations

import array
import asyncio
import json
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ambassador.errors import RunError

__all__ = [
    "MOST",
    "PATIENCE",
    "PROTOCOL",
    "beside",
    "may_hand_over",
    "receive",
    "send",
    "send_text",
    "text_of",
]

PROTOCOL = 1
MOST = 200  # descriptors in one message; SCM_MAX_FD of Linux is 253
PATIENCE = 20.0  # seconds for a whole handover
_LARGEST = 65536


def beside(admin: Path) -> Path:
    """Return where an ambassador waits for its successor, beside its admin socket."""
    return admin.with_name(f"{admin.name}.upgrade")


def may_hand_over(user: int, mine: int) -> bool:
    """Return whether `user` may be at the other end when I am `mine`: myself, or root."""
    return user in (mine, 0)


async def send(sock: socket.socket, say: str, descriptors: Sequence[int] = (), **more: Any) -> None:
    """Send one message. Raises OSError."""
    data = json.dumps({"say": say, **more}).encode()
    while True:
        try:
            socket.send_fds(sock, [data], list(descriptors), socket.MSG_NOSIGNAL)
        except BlockingIOError:
            await _until(sock, writable=True)
        else:
            return


async def send_text(
    sock: socket.socket, say: str, text: bytes, descriptors: Sequence[int] = (), **more: Any
) -> None:
    """Send one message with a file that holds `text`, however long, before other `descriptors`.

    Raises OSError.
    """
    file = os.memfd_create(say)
    try:
        with os.fdopen(os.dup(file), "wb") as writing:
            writing.write(text)
        await send(sock, say, [file, *descriptors], **more)
    finally:
        os.close(file)


def text_of(descriptors: Sequence[int]) -> bytes:
    """Return what the file that `send_text` sent holds; nothing where there is none. The file is
    closed.
    """
    if not descriptors:
        return b""
    with os.fdopen(descriptors[0], "rb") as file:
        file.seek(0)
        return file.read()


async def receive(sock: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return the next message and its descriptors; ({}, []) at the end of the connection.

    Raises RunError when it makes no sense.
    """
    space = socket.CMSG_SPACE(MOST * array.array("i").itemsize)
    while True:
        try:
            data, ancillary, flags, _ = sock.recvmsg(_LARGEST, space, socket.MSG_CMSG_CLOEXEC)
            break
        except BlockingIOError:
            await _until(sock, writable=False)
        except ConnectionResetError:
            # It closed without having read all we said. What it said last is still to be read:
            # the error comes first, and once (unix_release_sock in net/unix/af_unix.c).
            continue
    found = array.array("i")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(content[: len(content) - len(content) % found.itemsize])
    descriptors = list(found)
    if not data:
        return {}, descriptors
    try:
        message = json.loads(data)
        if flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC) or not isinstance(message["say"], str):
            raise ValueError
    except (KeyError, TypeError, ValueError) as error:
        for descriptor in descriptors:
            socket.close(descriptor)
        raise RunError(
            "the other side of the handover does not speak like an ambassador"
        ) from error
    return message, descriptors


async def _until(sock: socket.socket, *, writable: bool) -> None:
    """Wait until `sock` can be read, or written."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    add, remove = (
        (loop.add_writer, loop.remove_writer) if writable else (loop.add_reader, loop.remove_reader)
    )
    add(sock.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        remove(sock.fileno())
