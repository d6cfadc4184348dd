"""The program as it is started by users: `ambassador run` in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ambassador.admin import client
from ambassador.errors import RunError
from tests.netns import Namespace
from tests.wait import until

__all__ = [
    "COMMAND",
    "WITHOUT_SESSIONS",
    "Program",
    "clean_environ",
    "is_ready",
    "unmeasured",
    "with_etc",
]

COMMAND = (sys.executable, "-m", "ambassador")
# One that takes over no open sessions, like 0.1: they stay where they are.
WITHOUT_SESSIONS = (
    *(sys.executable, "-c"),
    "import ambassador.app.signals as it; it.VERSION = 0; from ambassador.cli import main; main()",
)
_WITHIN = 15.0


class Program:
    """Runs with `arguments` and the variables `environ`, in namespace `net` if there is one.

    `before` is a command that is put before it, `command` another in its place. It logs JSON; the
    lines are in `events`. Where it matters how fast it is, it is not `measured`: coverage makes
    every line slower.
    """

    def __init__(
        self,
        *arguments: str,
        net: Namespace | None = None,
        before: tuple[str, ...] = (),
        measured: bool = True,
        command: tuple[str, ...] = COMMAND,
        **environ: str,
    ) -> None:
        self.events: list[dict[str, Any]] = []
        self.rest: list[str] = []  # what is no line of the log
        start = net.start if net else _start
        inherited = clean_environ(AMBASSADOR_LOG="json", **{"AMBASSADOR_ADMIN": "off", **environ})
        self.process = start(
            *(*before, *command, "run", *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=inherited if measured else unmeasured(inherited),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(_WITHIN)

    def started(self) -> Program:
        """Wait until it listens on its routes; return itself."""
        self.wait_for("route_started")
        return self

    def said(self, event: str) -> list[str]:
        """Return the messages of all `event` so far."""
        return [one["message"] for one in self.events if one["event"] == event]

    def wait_for(self, event: str, within: float = _WITHIN) -> str:
        """Return the message of the first `event`, once it is logged."""

        def found() -> list[str]:
            # read to the end before it is asked whether the end has come
            over = self.process.poll() is not None and not self._reader.is_alive()
            said = self.said(event)
            assert said or not over, f"ended without {event}: {self.events} {self.rest}"
            return said

        return until(found, within, f"{event} is logged; {self.events}")[0]

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM, within: float = _WITHIN) -> int:
        """Ask it to end and return its exit code."""
        self.send(number)
        return self.exit_code(within)

    def exit_code(self, within: float = _WITHIN) -> int:
        """Wait for its end, and for the end of its log."""
        code = self.process.wait(within)
        self._reader.join(_WITHIN)
        return code

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                try:
                    self.events.append(json.loads(line))
                except ValueError:
                    self.rest.append(line)


def _start(*command: str, **options: Any) -> subprocess.Popen[Any]:
    return subprocess.Popen(command, **options)


def is_ready(admin: Path) -> bool:
    """Tell whether the ambassador at the socket `admin` takes clients."""
    try:
        return client.ready(admin, 5)[0]
    except RunError:
        return False


def clean_environ(**more: str) -> dict[str, str]:
    """Return the variables of this process without those that speak to an ambassador.

    It only relays unless a test says otherwise: the rules of this machine are not for tests; and
    what one that is killed has started ends with its sessions (OUTLIVE=60s: as for users).
    """
    ours = re.compile(r"AMBASSADOR_.*|.*_PORT_\d+_(TCP|UDP).*|KUBERNETES_.*|NO_COLOR")
    others = {name: value for name, value in os.environ.items() if not ours.fullmatch(name)}
    outlive = os.environ.get("OUTLIVE", "0s")
    return {**others, "AMBASSADOR_PLANE": "relay", "AMBASSADOR_OUTLIVE": outlive, **more}


def unmeasured(environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` without what has coverage measure processes."""
    return {name: value for name, value in environ.items() if not name.startswith("COVERAGE_")}


def with_etc(resolv_conf: Path, hosts: Path) -> tuple[str, ...]:
    """Return what to put before a command so that these are its resolv.conf and hosts in /etc:
    bound over those there are, as Docker does it.
    """
    script = 'mount --bind "$1" /etc/resolv.conf; mount --bind "$2" /etc/hosts; shift 2; exec "$@"'
    unshare = ("unshare", "--mount", "--propagation", "private")
    return (*unshare, "sh", "-ec", script, "sh", str(resolv_conf), str(hosts))
