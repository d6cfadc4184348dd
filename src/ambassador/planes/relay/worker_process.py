"""A worker process: started here, or found after the relay that had started it was killed."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ambassador.planes.relay import worker_main
from ambassador.planes.relay.forking import fork
from ambassador.planes.relay.outlive import Outlive, waiting_place
from ambassador.planes.relay.shared import CALLERS, COLUMNS, LET_GO, Shared
from ambassador.planes.relay.worker_loop import MEANT_FOR_ALL
from ambassador.sockets.unix import identity, listen

__all__ = ["FoundProcess", "OwnProcess", "WorkerProcess", "start"]

_PAUSE, _LONGEST_PAUSE = 0.0005, 0.02  # seconds between two looks whether a process has ended


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A process, our end of the channel to it, and the path of the socket where it would wait for
    the next relay, with device and inode of that file.
    """

    process: OwnProcess | FoundProcess
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
    if waiting is not None:
        given.append(waiting.fileno())
    seconds = lasting.seconds if lasting is not None else 0.0
    try:
        pid = fork(
            given,
            partial(worker_main.main, theirs, arguments, row, shared, waiting, seconds),
            title=f"ambassador worker {row} (relay.worker_main)",
            ignored=MEANT_FOR_ALL,
        )
        process = WorkerProcess(OwnProcess(pid), ours, place)
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
        if waiting is not None:
            waiting.close()
    return process


class OwnProcess:
    """A process that this one has started. Its exit code is -N where signal N has ended it. It is
    used without pidfd_open(2), which kernels before 5.3 and old engines do not allow.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Return its exit code once it has ended; None before."""
        return self._read(os.WNOHANG)

    def kill(self) -> None:
        """Kill it."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code once it has ended, after `timeout` seconds at most. Raises
        TimeoutError.
        """
        if timeout is None:
            code = self._read(0)
            assert code is not None
            return code
        deadline, pause = time.monotonic() + timeout, _PAUSE
        while (code := self.poll()) is None:
            if time.monotonic() >= deadline:
                raise TimeoutError(f"process {self.pid} has not ended after {timeout} s")
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return code

    def _read(self, options: int) -> int | None:
        if self._code is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except ChildProcessError:  # process 1 of a container has read it, as that of any orphan
                self._code = 0
            else:
                if pid:
                    self._code = os.waitstatus_to_exitcode(status)
        return self._code


class FoundProcess:
    """A process that is not our child, used like an OwnProcess. Raises OSError where it is gone."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Return 0 once it has ended: only its parent can read the exit code."""
        if self._descriptor < 0:
            return 0
        if not self._has_ended(0):
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
        """Return 0 once it has ended, after `timeout` seconds at most. Raises TimeoutError."""
        if self._descriptor >= 0:
            self._has_ended(None if timeout is None else timeout * 1000)
        if self.poll() is None:
            raise TimeoutError(f"process {self.pid} has not ended after {timeout} s")
        return 0

    def _has_ended(self, milliseconds: float | None) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(milliseconds))
