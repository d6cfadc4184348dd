"""One primary, two replicas and three sentinels, what they say and what they have logged."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from ambassador.follow.resp import Incomplete, Reply, command, parse
from bench.errors import BenchError

__all__ = ["HOST", "NAME", "RedisSet", "ask", "promotions", "until"]

HOST = "10.90.0.1"  # where all of them are; the kernel plane forwards nothing to loopback
NAME = "mymaster"
_PROMOTED = " * MASTER MODE enabled"
_SERVERS = (7101, 7102, 7103)
_SENTINELS = (7201, 7202, 7203)


def until(condition: Callable[[], bool], what: str, limit: float = 90.0) -> None:
    """Return once `condition` holds. Raises BenchError after `limit` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"waited {limit:g} s for {what}")
        time.sleep(0.02)


def ask(port: int, *words: str, limit: float = 1.0, host: str = HOST) -> Reply:
    """Return the reply of what listens at `port`; None where nothing does."""
    with contextlib.suppress(OSError):
        sock = socket.create_connection((host, port), limit)
        with sock:
            sock.sendall(command(*words))
            data = b""
            while piece := sock.recv(1 << 20):
                data += piece
                with contextlib.suppress(Incomplete):
                    return parse(data)[0]
    return None


def promotions(log: str) -> list[float]:
    """Return when a server was promoted, in seconds since 1970, by the lines of its log:
    `1234:M 30 Nov 2026 23:12:11.123 * MASTER MODE enabled (...)`.
    """
    return [
        datetime.strptime(line.split(" ", 1)[1].split(" * ")[0], "%d %b %Y %H:%M:%S.%f").timestamp()
        for line in log.splitlines()
        if _PROMOTED in line
    ]


class RedisSet:
    """Starts in `folder`; down-after 1 s, failover-timeout 3 s, quorum 2."""

    def __init__(self, folder: Path) -> None:
        self.servers, self.sentinels = _SERVERS, _SENTINELS
        self._folder = folder
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        for port in self.servers:
            self.start(port)
        until(lambda: all(ask(port, "PING") == "PONG" for port in self.servers), "the servers")
        for port in self.servers[1:]:
            ask(port, "REPLICAOF", HOST, str(self.servers[0]))
        for port in self.sentinels:
            path = folder / f"{port}.conf"
            path.write_text(
                f"port {port}\ndir {folder}\nprotected-mode no\n"
                f"sentinel monitor {NAME} {HOST} {self.servers[0]} 2\n"
                f"sentinel down-after-milliseconds {NAME} 1000\n"
                f"sentinel failover-timeout {NAME} 3000\n"
            )
            self._run(port, "redis-server", str(path), "--sentinel")
        self.settle()

    def start(self, port: int) -> None:
        """Start the server at `port`."""
        (self._folder / str(port)).mkdir(exist_ok=True)
        self._run(
            port, "redis-server", "--port", str(port), "--save", "", "--protected-mode", "no",
            "--dir", str(self._folder / str(port)), "--repl-diskless-sync-delay", "0",
            "--logfile", "log",
        )  # fmt: skip

    def promotions(self) -> list[tuple[float, int]]:
        """Return when each server was promoted, by its own log, the first one first."""
        return sorted(
            (when, port)
            for port in self.servers
            for when in promotions((self._folder / str(port) / "log").read_text())
        )

    def role(self, port: int) -> str:
        """Return what the server at `port` says of itself."""
        found = ask(port, "ROLE", limit=0.3)
        return str(found[0]) if isinstance(found, list) else ""

    def named(self, sentinel: int) -> int:
        """Return the port of the primary that a sentinel names; 0 where it names none."""
        found = ask(sentinel, "SENTINEL", "get-master-addr-by-name", NAME, limit=0.3)
        return int(str(found[1])) if isinstance(found, list) else 0

    def settle(self) -> int:
        """Have everything up and agreed; return the port of the primary."""
        for port in self.servers:
            if self.processes[port].poll() is not None:
                self.start(port)
            self.processes[port].send_signal(signal.SIGCONT)
        until(self._agreed, "the set to settle")
        return self.named(self.sentinels[0])

    def close(self) -> None:
        """End all."""
        for process in self.processes.values():
            process.kill()
            process.wait()

    def _run(self, port: int, *words: str) -> None:
        quiet = subprocess.DEVNULL
        self.processes[port] = subprocess.Popen(words, stdout=quiet, stderr=quiet)

    def _agreed(self) -> bool:
        named = {self.named(port) for port in self.sentinels}
        primaries = [port for port in self.servers if self.role(port) == "master"]
        if len(primaries) != 1 or named != set(primaries):
            return False
        replicas = ask(primaries[0], "ROLE")
        if not isinstance(replicas, list) or len(str(replicas[2]).split("],")) != 2:
            return False
        for port in self.sentinels:
            found = ask(port, "SENTINEL", "master", NAME)
            facts = dict(zip(found[::2], found[1::2], strict=True)) if found else {}  # type: ignore[index]
            if facts.get("num-other-sentinels") != "2" or facts.get("flags") != "master":
                return False
        return True
