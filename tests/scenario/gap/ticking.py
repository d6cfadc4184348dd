"""A consumer that asks 1,000 times a second, through the ambassador and, as a control, directly, at
the same time; in a process of its own, and the echo that answers both in another.

`python -m tests.scenario.gap.ticking ECHO_PORT PORT PID` connects to PORT, behind which the echo on
ECHO_PORT is, and to that. For each line on stdin it writes what it has met since the last; `Met`
says what that is.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path

_EVERY = 0.001  # seconds
_THREADS_AGAIN = 50  # questions until it is looked for new threads
_NOTABLE = 0.005  # below, it is not asked whose fault it was
_QUESTION = b"question"
_ANSWER = struct.Struct("dd")  # when the question came, and when it was answered
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h
_TIME = struct.Struct("ll")  # struct timespec
_ROOM = 64  # for what is told beside the data


@dataclass(frozen=True, slots=True)
class Met:
    """In seconds: `longest`, that an answer has taken by the ambassador's fault, `p999` of all
    answers whosoever's fault, and the longest of the control; `carrier` is the process that
    carries the session.
    """

    longest: float
    p999: float
    control: float
    asked: int
    carrier: int


class Ticking:
    """Starts `main` in a process."""

    def __init__(self, echo_port: int, port: int, pid: int) -> None:
        numbers = map(str, (echo_port, port, pid))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.scenario.gap.ticking", *numbers],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def met(self) -> Met:
        """Return what has been met since the last time it was asked for."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Met(**json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


class Threads:
    """What the threads of a process have had of the CPU, and waited for it, in seconds (schedstat,
    Documentation/scheduler/sched-stats.rst of Linux).
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._files: dict[str, int] = {}
        self._asked = 0
        self._last: dict[str, tuple[int, int]] = {}
        self.since()

    def close(self) -> None:
        for file in self._files.values():
            os.close(file)

    def since(self) -> tuple[float, float, float]:
        """Return, since the last time: for how long the first thread had a CPU, for how long it
        waited for one, and for how long the others did, together.
        """
        if self._asked % _THREADS_AGAIN == 0:
            for task in Path(f"/proc/{self.pid}/task").iterdir():
                if task.name not in self._files:
                    self._files[task.name] = os.open(task / "schedstat", os.O_RDONLY)
        self._asked += 1
        ran = waited = others = 0
        for name, file in list(self._files.items()):
            try:
                one, two, _ = map(int, os.pread(file, 100, 0).split())
            except (OSError, ValueError):  # it has ended
                os.close(self._files.pop(name))
                continue
            before = self._last.get(name, (one, two))
            self._last[name] = one, two
            if name == str(self.pid):
                ran, waited = one - before[0], two - before[1]
            else:
                others += two - before[1]
        return ran / 1e9, waited / 1e9, others / 1e9

    def hindered(self, whole: float, ours: float) -> float:
        """Return for how long, since the last time, it was kept from working by a busy machine: at
        least, in the `ours` seconds of `whole` that count.

        That is what its first thread waited for a CPU, and what others waited for one while it did
        not work: they may have had what it needed.
        """
        ran, waited, others = self.since()
        return waited + max(0.0, min(others, whole - ran - waited)) - (whole - ours)


def stamped(sock: socket.socket, size: int) -> tuple[bytes, float]:
    """Receive `size` bytes; return them, and when the last of them came to the socket, however late
    we look: SO_TIMESTAMPNS of socket(7), by the system's clock.
    """
    data, told, _, _ = sock.recvmsg(size, _ROOM, socket.MSG_WAITALL)
    if len(data) < size:
        raise ConnectionError("it has ended")
    if not told:  # the kernel begins to stamp a moment after it is first asked to
        return data, time.time()
    seconds, nanoseconds = _TIME.unpack(told[0][2])
    return data, seconds + nanoseconds / 1e9


def with_stamps(sock: socket.socket) -> socket.socket:
    """Return `sock`, for `stamped`."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    return sock


def echo(listening: socket.socket) -> None:
    """Tell two clients when each question came, and when it was answered."""
    socks = [with_stamps(listening.accept()[0]) for _ in range(2)]
    while True:
        for sock in select.select(socks, [], [])[0]:
            try:
                _, came = stamped(sock, len(_QUESTION))
                sock.sendall(_ANSWER.pack(came, time.time()))
            except ConnectionError:
                return


class Line:
    """Asks on one connection, one question at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = with_stamps(sock)
        self.began = 0.0  # the question under way; 0: there is none
        self.due = time.time()

    def ask(self) -> None:
        """Ask; it is to be asked again in a moment."""
        self.began = time.time()
        self.due = max(self.due + _EVERY, self.began)
        self.sock.sendall(_QUESTION)

    def answered(self) -> float:
        """Take the answer; return how long question and answer were on their way, in seconds:
        neither how long the echo took nor how long it has been here.
        """
        data, came = stamped(self.sock, _ANSWER.size)
        there, back = _ANSWER.unpack(data)
        took, self.began = there - self.began + came - back, 0.0
        return took


def carrier(first: int, client: socket.socket) -> int:
    """Return which process has the other end of `client`: `first`, or one it has started."""
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    if not children:
        return first
    here, there = f":{client.getpeername()[1]:04X}", f":{client.getsockname()[1]:04X}"
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{first}/net/{name}").read_text().splitlines()
    ]
    ends = {
        f"socket:[{row[9]}]" for row in rows if row[1].endswith(here) and row[2].endswith(there)
    }
    for pid in (first, *map(int, children)):
        for one in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # files come and go
                if str(one.readlink()) in ends:
                    return pid
    return first  # it is on its way


def tick(through: Line, direct: Line, first: int) -> None:
    """Ask and answer until stdin ends; `first` is the first process of the ambassador."""
    ambassador = Threads(first)
    longest = control = 0.0
    took: list[float] = []
    slow: deque[tuple[float, float]] = deque(maxlen=100)  # of the control: when it ended, and took
    wanted = False  # to tell what has been met: when the question under way is answered
    everything = (sys.stdin, through.sock, direct.sock)
    while True:
        pauses = [line.due - time.time() for line in (through, direct) if not line.began]
        ready = select.select(everything, [], [], max(0.0, min(pauses, default=0.1)))[0]
        if direct.sock in ready and (it := direct.answered()) > _NOTABLE:
            slow.append((time.time(), it))
            control = max(control, it)
        if through.sock in ready:
            began = through.began
            took.append(it := through.answered())
            if it > _NOTABLE:
                machine = ambassador.hindered(time.time() - began, it)
                meanwhile = [one for ended, one in slow if ended > began]
                # Not both: a busy machine must not hide a wait of our own.
                it -= max(machine, *meanwhile, 0.0)
            longest = max(longest, it)
        if sys.stdin in ready:
            if not sys.stdin.readline():
                return
            wanted = True
        if wanted and not through.began:
            wanted = False
            took.sort()
            if (pid := carrier(first, through.sock)) != ambassador.pid:
                ambassador.close()
                ambassador = Threads(pid)
            p999 = took[int(len(took) * 0.999)] if took else 0.0
            sys.stdout.write(
                json.dumps(asdict(Met(longest, p999, control, len(took), ambassador.pid))) + "\n"
            )
            sys.stdout.flush()
            longest = control = 0.0
            took = []
        if not direct.began and time.time() >= direct.due:
            direct.ask()
        if not through.began and time.time() >= through.due:
            ambassador.since()
            through.ask()


def main(echo_port: int, port: int, pid: int) -> None:
    """Start both."""
    listening = socket.create_server(("127.0.0.1", echo_port))
    if os.fork() == 0:
        echo(listening)
        os._exit(0)
    listening.close()
    lines = []
    for one in (port, echo_port):
        sock = socket.create_connection(("127.0.0.1", one), 20)
        sock.settimeout(None)
        lines.append(Line(sock))
    gc.disable()
    with contextlib.suppress(ConnectionError):  # who asks finds that nothing is told
        tick(*lines, pid)
    for line in lines:
        line.sock.close()
    os.wait()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
