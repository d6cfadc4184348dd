"""A worker process: started here, or found after the relay that had started it was killed."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ambassador.planes.relay.outlive import Outlive, waiting_place
from ambassador.planes.relay.shared import CALLERS, COLUMNS, LET_GO, Shared
from ambassador.sockets.unix import identity, listen

__all__ = ["FoundProcess", "WorkerProcess", "start"]

_MODULE = "ambassador.planes.relay.worker_main"


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A process, our end of the channel to it, and the path of the socket where it would wait for
    the next relay, with device and inode of that file.
    """

    process: subprocess.Popen[bytes] | FoundProcess
    sock: socket.socket
    place: tuple[Path, tuple[int, int] | None] | None = None

    def forget_place(self) -> None:
        """Remove the socket where it would wait for the next relay: it will not."""
        if self.place is not None:
            path, file = self.place
            with contextlib.suppress(OSError):
                if file is not None and identity(path) == file:
                    path.unlink()


def start(
    arguments: tuple[int, int, int], row: int, shared: Shared, lasting: Outlive | None
) -> WorkerProcess:
    """Start a worker. `arguments` are limit, memory and each of `worker_main.main`; `lasting`: it
    outlives the relay. Raises OSError.
    """
    limit, memory, each = arguments
    shared.cells[row * COLUMNS + LET_GO] = 0
    place = None
    waiting = None
    if lasting is not None:
        path = waiting_place(lasting.admin, row)
        with contextlib.suppress(OSError):  # left by a worker that is gone, or stands still
            path.unlink()
        with contextlib.suppress(OSError):  # without that socket it will not wait for a next relay
            waiting = listen(path, CALLERS, socket.SOCK_SEQPACKET, private=True)
            place = path, identity(path)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    given = [theirs.fileno(), *shared.descriptors]
    try:
        if waiting is not None:
            given.append(waiting.fileno())
        numbers = (theirs.fileno(), limit, memory, row, each)
        wait = (
            waiting.fileno() if waiting else -1,
            round(1000 * lasting.seconds) if lasting else 0,
        )
        # -P: no module of the current folder. PYTHONPATH: one executable file finds itself by it.
        process = subprocess.Popen(  # noqa: S603 (our own program)
            [
                *(sys.executable, "-P", "-m", _MODULE),
                *map(str, (*numbers, *wait, *shared.descriptors)),
            ],
            stdin=subprocess.DEVNULL,
            pass_fds=given,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
        if waiting is not None:
            waiting.close()
    return WorkerProcess(process, ours, place)


class FoundProcess:
    """A process that is not our child, used like a Popen. Raises OSError where it is gone."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Return 0 once it has ended: only its parent can read the exit code."""
        if self._descriptor < 0:
            return 0
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        if not poll.poll(0):
            return None
        os.close(self._descriptor)
        self._descriptor = -1
        return 0

    def kill(self) -> None:
        """Kill it."""
        if self._descriptor >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Return 0 once it has ended. Raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise subprocess.TimeoutExpired([str(self.pid)], timeout or 0.0)
            poll = select.poll()
            poll.register(self._descriptor, select.POLLIN)
            poll.poll(None if left is None else left * 1000)
        return 0
