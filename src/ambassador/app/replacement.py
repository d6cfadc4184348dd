"""Start the program once more, to take over from this process, as SIGUSR2 requests.

The service manager has to follow the new process: systemd does (`MAINPID=`, sd_notify(3)).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping

from ambassador import log

__all__ = ["Replacement"]

# For sockets from systemd: they are handed over, and must not be found a second time.
_NOT_PASSED = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID")


class Replacement:
    """Starts the successor of this process: the program that is on disk now, with the same
    arguments.

    `environ` is the environment that this process was started with.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        kept = {name: text for name, text in environ.items() if name not in _NOT_PASSED}
        self._environ = {**kept, "AMBASSADOR_UPGRADE": "yes"}
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self) -> None:
        """Start the successor, unless an earlier one still runs."""
        if self._process is not None:
            log.event(log.WARNING, "already_replacing", "a successor is being started already")
            return
        # asyncio's own function kills what it has started when its loop is closed.
        command = [sys.executable, *sys.orig_argv[1:]]
        try:
            process = subprocess.Popen(  # noqa: S603 (our own program)
                command, stdin=subprocess.DEVNULL, env=self._environ
            )
            end = os.pidfd_open(process.pid)
        except OSError as error:
            text = f"SIGUSR2: no successor could be started, this one goes on: {error}"
            log.event(log.ERROR, "not_replaced", text)
            return
        text = f"SIGUSR2: process {process.pid} is started to take over"
        log.event(log.INFO, "replacing", text, pid=process.pid)
        self._process = process
        asyncio.get_running_loop().add_reader(end, self._ended, end)

    def _ended(self, end: int) -> None:
        asyncio.get_running_loop().remove_reader(end)
        os.close(end)
        if self._process is not None:
            pid, code = self._process.pid, self._process.wait()
            self._process = None
            text = f"process {pid}, started to take over, ended with {code}; this one goes on"
            log.event(log.ERROR, "not_replaced", text, pid=pid, code=code)
