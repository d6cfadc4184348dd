"""The messages between the two processes of a handover: JSON, some with descriptors.

    successor                        predecessor
    hello (protocol, version, sessions) ─▶
                                ◀─   welcome (how many), a file with the operator's wishes
    more                        ─▶
                                ◀─   sockets, as many as fit (unix(7) SCM_RIGHTS)
    ready                       ─▶                       it listens, but accepts nothing yet
                                ◀─   piece, a file and the sockets of sessions, which go on there
    more                        ─▶
                                ◀─   yours, a file       the predecessor does nothing any more
    done                        ─▶                       it is ready to accept, and to go on
                                ◀─   bye: no way back
                                ◀─   counted (how many), a file with the counters, and
                                     connections to earlier processes that still have sessions
                                ◀─   earlier, more of these, as many as fit

`sessions` is the version of the session format that the successor can read. Where the field is
missing (0.1), or where the predecessor does not write that version, there is no `piece` and no
`counted`: the fields of `counted` are in `bye`, and the sessions stay in the predecessor until they
end.

Only after `bye` the successor takes the place of the admin socket: a successor that hangs before
has taken nothing away.

Instead of any of its answers the predecessor may say `no` and why. A process that reads the end of
the connection knows that the other one has failed.

While sessions go on in the predecessor, the successor may ask on the same connection, as often as
it likes; each question has a word `n` of its own, which the answer repeats:

    numbers (n)                 ─▶
    sessions (n)                ─▶
    cut (n, reason), a file with ids
                                ◀─   answer (n), a file
                                ◀─   farewell, a file with the counters: the predecessor ends
"""

from __future__ import annotations

import array
import asyncio
import json
import os
import resource
import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
    "receive_now",
    "send",
    "send_now",
    "send_text",
    "text_of",
]

PROTOCOL = 1
MOST = 200  # descriptors in one message; SCM_MAX_FD of Linux is 253
PATIENCE = 20.0  # seconds for a whole handover
_LARGEST = 65536


def beside(admin: Path) -> Path:
    """Return the path where an ambassador waits for its successor, beside its admin socket."""
    return admin.with_name(f"{admin.name}.upgrade")


def may_hand_over(user: int, mine: int) -> bool:
    """Return whether `user` may be at the other end when this process has user id `mine`: the same
    user, or root.
    """
    return user in (mine, 0)


async def send(sock: socket.socket, say: str, descriptors: Sequence[int] = (), **more: Any) -> None:
    """Send one message. Raises OSError."""
    data = json.dumps({"say": say, **more}).encode()
    while True:
        try:
            _send(sock, data, descriptors)
        except BlockingIOError:
            await _until(sock, writable=True)
        else:
            return


def _send(sock: socket.socket, data: bytes, descriptors: Sequence[int]) -> None:
    """Send the message at once; without descriptors by send(2), which also works where seccomp
    forbids sendmsg(2).
    """
    if descriptors:
        socket.send_fds(sock, [data], list(descriptors), socket.MSG_NOSIGNAL)
    else:
        sock.send(data, socket.MSG_NOSIGNAL)


async def send_text(
    sock: socket.socket, say: str, text: bytes, descriptors: Sequence[int] = (), **more: Any
) -> None:
    """Send one message with a file that holds `text`, however long, before other `descriptors`.

    Raises OSError.
    """
    with _file(say, text) as file:
        await send(sock, say, [file, *descriptors], **more)


def send_now(
    sock: socket.socket,
    deadline: float,
    say: str,
    text: bytes | None = None,
    descriptors: Sequence[int] = (),
) -> None:
    """Send one message, as `send_text` does where there is a `text`. This blocks the process,
    at most until `deadline` by the monotonic clock. Raises OSError, also after the deadline.
    """
    if text is not None:
        with _file(say, text) as file:
            send_now(sock, deadline, say, descriptors=[file, *descriptors])
        return
    data = json.dumps({"say": say}).encode()
    while True:
        try:
            _send(sock, data, descriptors)
        except BlockingIOError:
            _wait(sock, deadline, select.POLLOUT)
        else:
            return


def receive_now(sock: socket.socket, deadline: float) -> tuple[dict[str, Any], list[int]]:
    """Return the next message as `receive`. This blocks the process, at most until `deadline` by
    the monotonic clock. Raises TimeoutError, OSError and RunError.
    """
    while True:
        try:
            return _receive(sock)
        except BlockingIOError:
            _wait(sock, deadline, select.POLLIN)


def _wait(sock: socket.socket, deadline: float, event: int) -> None:
    poll = select.poll()
    poll.register(sock, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError


@contextmanager
def _file(name: str, text: bytes) -> Iterator[int]:
    """Yield the descriptor of an unnamed file with `text`."""
    file = os.memfd_create(name, os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(file), "wb") as writing:
            writing.write(text)
        yield file
    finally:
        os.close(file)


def text_of(descriptors: Sequence[int]) -> bytes:
    """Return the content of the file that `send_text` sent; empty where there is none. The file is
    closed.
    """
    if not descriptors:
        return b""
    with os.fdopen(descriptors[0], "rb") as file:
        file.seek(0)
        return file.read()


async def receive(sock: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return the next message and its descriptors; ({}, []) at the end of the connection.

    Raises RunError when the message makes no sense, or when not all of its descriptors arrived.
    """
    while True:
        try:
            return _receive(sock)
        except BlockingIOError:
            await _until(sock, writable=False)


def _receive(sock: socket.socket) -> tuple[dict[str, Any], list[int]]:
    space = socket.CMSG_SPACE(MOST * array.array("i").itemsize)
    while True:
        try:
            data, ancillary, flags, _ = sock.recvmsg(_LARGEST, space, socket.MSG_CMSG_CLOEXEC)
            break
        except ConnectionResetError:
            # The other side closed without having read all that we sent. Its last message is still
            # to be read: the error comes first, and once (unix_release_sock in net/unix/af_unix.c).
            continue
    found = array.array("i")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(content[: len(content) - len(content) % found.itemsize])
    descriptors = list(found)
    if not data:
        return {}, descriptors
    try:
        if flags & socket.MSG_CTRUNC:
            raise _short(len(descriptors))
        message = json.loads(data)
        if flags & socket.MSG_TRUNC or not isinstance(message["say"], str):
            raise ValueError
    except (RunError, KeyError, TypeError, ValueError) as error:
        for descriptor in descriptors:
            socket.close(descriptor)
        if isinstance(error, RunError):
            raise
        raise RunError(
            "the other side of the handover does not speak like an ambassador"
        ) from error
    return message, descriptors


def _short(had: int) -> RunError:
    """Return the error where the kernel has left descriptors out (unix(7))."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return RunError(
        f"file descriptors are short here: {limit} are allowed (ulimit -n) and {had} of those that "
        "were handed over last fitted; a session needs two"
    )


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
