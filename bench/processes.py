"""Start and end processes; read what a tree of them has used."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.netns import inside

__all__ = ["Process", "cpu_seconds", "pss_kib", "reap", "tree", "until_still"]

_TICK = os.sysconf("SC_CLK_TCK")
_SECONDS_TO_END = 2.0
_LOOK = 0.01  # a tick of the clock that processor time is counted in


class Process:
    """A program in a session of its own, started in a network namespace, output to a file."""

    def __init__(self, argv: Sequence[str], log: Path, namespace: str | None = None) -> None:
        self._log = log
        command = list(argv)
        if namespace is None and (setpriv := shutil.which("setpriv")):
            # No namespace around the run: let the kernel end it when we are killed (prctl(2)).
            command = [setpriv, "--pdeathsig", "KILL", "--", *command]
        with log.open("wb") as output, inside(namespace):
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment(),
            )
        self.pid = self._popen.pid

    @property
    def ended(self) -> bool:
        """Whether the program itself (not what it forked) is gone."""
        return self._popen.poll() is not None

    def last_words(self) -> str:
        """Return the last line the program printed that looks like a reason."""
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines()]
        told = [line for line in lines if line]
        for line in told:
            if any(word in line.lower() for word in ("error", "emerg", "alert", "cannot")):
                return line[:200]
        return told[-1][:200] if told else f"exit code {self._popen.poll()}, without a word"

    def end(self, *, politely: bool = True) -> None:
        """End the program and all it forked: at first politely, when asked to."""
        if politely and not self.ended:
            self._signal(signal.SIGTERM)
            deadline = time.monotonic() + _SECONDS_TO_END
            while not self.ended and time.monotonic() < deadline:
                time.sleep(0.005)
        self._signal(signal.SIGKILL)
        self._popen.wait()
        reap()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return


def environment() -> dict[str, str]:
    """Return the environment of everything started: no setting of the caller's leaks in."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C.UTF-8",
    }


def reap() -> None:
    """As process 1 of the run's namespace: take leave of orphans, such as 5,000 ended forks."""
    if os.getpid() != 1:
        return
    for pid in _children(1):
        if _state(pid) == "Z":
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue


def tree(pid: int) -> list[int]:
    """Return `pid` and the ids of all processes below it."""
    found = [pid]
    for parent in found:
        found += _children(parent)
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return the processor time, user and system, of `pids` and of children they waited for."""
    ticks = 0
    for pid in pids:
        # proc_pid_stat(5): utime, stime, cutime and cstime are fields 14 to 17, state is 3
        ticks += sum(int(field) for field in _stat(pid)[11:15])
    return ticks / _TICK


def until_still(pids: Callable[[], Sequence[int]], still: float = 0.2, within: float = 5) -> None:
    """Return once `pids()` have used no processor time for `still` seconds, or after `within`: what
    a program does after it has begun to forward is not the cost of forwarding.
    """
    deadline = time.monotonic() + within
    used, since = cpu_seconds(pids()), time.monotonic()
    while time.monotonic() < min(since + still, deadline):
        time.sleep(_LOOK)
        now = cpu_seconds(pids())
        if now != used:
            used, since = now, time.monotonic()


def pss_kib(pids: Sequence[int]) -> int:
    """Return the memory of `pids` in KiB; a page that several share counts in parts."""
    total = 0
    for pid in pids:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line[:4] == "Pss:")
    return total


def _children(pid: int) -> Iterator[int]:
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            yield from map(int, (task / "children").read_text().split())
    except (FileNotFoundError, ProcessLookupError):
        return


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name, which may hold blanks."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _state(pid: int) -> str:
    return (_stat(pid) or ["gone"])[0]
