"""A process, mount and network namespace around a whole run.

All that a run starts lives inside, so the kernel ends it with the run: processes, network
namespaces, rules and mounts, also when the bench is killed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

__all__ = ["LACKS", "LEVEL", "how", "prepare", "run_inside"]

# For the inner process: "root", "user" (a user namespace) or "none", and what that lacks.
LEVEL, LACKS = "AMBASSADOR_BENCH_LEVEL", "AMBASSADOR_BENCH_LACKS"
# The namespace of process ids ends with its first process, and that with unshare(1) or with us.
_UNSHARE = ("--net", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc")


def how() -> tuple[str, str]:
    """Return the level of isolation this machine allows, and a line about what it lacks."""
    if not shutil.which("unshare") or not shutil.which("ip"):
        return "none", "no unshare or ip (util-linux, iproute2): only the shared topology"
    if os.geteuid() == 0:
        if _works():
            return "root", ""
        return "none", "no right to make namespaces: only the shared topology, without kernel plane"
    if _works("--map-root-user"):
        return "user", "not root: in namespaces of a user of its own"
    return "none", "not root, and no user namespaces: only the shared topology; sudo ./dev bench"


def _works(*extra: str) -> bool:
    command = ["unshare", *extra, *_UNSHARE, "true"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def run_inside(level: str, lacks: str, arguments: Sequence[str]) -> int:
    """Run this program again, isolated as `level` says; return its exit code.

    SIGINT, SIGTERM and SIGHUP end everything inside at once; then it is 128 plus the signal.
    """
    command = [sys.executable, "-m", "bench", *arguments]
    if level != "none":
        extra = ["--map-root-user"] if level == "user" else []
        command = ["unshare", *extra, *_UNSHARE, *command]
    got: list[int] = []
    inner: subprocess.Popen[bytes] | None = None

    def stop(number: int, _frame: FrameType | None) -> None:
        got.append(number)
        if inner is not None:
            # Inside a namespace nothing has to be tidied; else the inner run ends its processes.
            inner.send_signal(signal.SIGTERM if level == "none" else signal.SIGKILL)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    # A session of its own: the terminal's ^C reaches us only.
    inner = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,  # never written to: its end tells that we are gone
        env={**os.environ, LEVEL: level, LACKS: lacks},
        start_new_session=True,
    )
    if got:
        stop(got[0], None)
    status = inner.wait()
    return 128 + got[0] if got else status


def prepare(level: str) -> None:
    """Make the inside ready: /run of our own for the names of namespaces, a way to end."""
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_end_with_the_outer_one, args=(level,), daemon=True).start()
    if level != "none":
        subprocess.run(["mount", "-t", "tmpfs", "bench", "/run"], check=True)
        Path("/run/netns").mkdir()
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _end_with_the_outer_one(level: str) -> None:
    os.read(0, 1)
    if level == "none":
        os.kill(os.getpid(), signal.SIGTERM)  # there is something to tidy first
    else:
        os._exit(1)
