"""A Redis set with sentinels in a namespace, and writers that know each acknowledged write."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ambassador.follow.resp import Incomplete, Reply, command, parse
from tests.netns import Namespace
from tests.wait import until
from tests.writing import Writing

__all__ = ["Set", "Writers", "ask", "members"]

NAME = "mymaster"
SERVERS = (6401, 6402, 6403)
SENTINELS = (26401, 26402, 26403)
_SETTLED = 30.0


def ask(net: Namespace, port: int, *words: str) -> Reply:
    """Return the reply of the server at `port`; None where there is none."""
    try:
        sock = net.call(socket.create_connection, ("127.0.0.1", port), 1.0)
    except OSError:
        return None
    with sock, contextlib.suppress(OSError):
        sock.sendall(command(*words))
        data = b""
        while piece := sock.recv(65536):
            data += piece
            with contextlib.suppress(Incomplete):
                return parse(data)[0]
    return None


def members(asking: Callable[..., object]) -> set[str]:
    """Return the members of the set that was written, of which there may be millions, by commands
    that `asking` gives a server.
    """
    found, cursor = set[str](), "0"
    while True:
        answer = asking("SSCAN", "written", cursor, "COUNT", "100000")
        assert isinstance(answer, list), answer
        cursor, some = str(answer[0]), answer[1]
        assert isinstance(some, list), some
        found.update(map(str, some))
        if cursor == "0":
            return found


class Set:
    """One primary, two replicas, and sentinels, if any; the first of SERVERS begins as primary.
    All know each other by the address `host`; `program` is that of Redis, or of Valkey.
    """

    def __init__(
        self,
        net: Namespace,
        folder: Path,
        sentinels: Sequence[int] = SENTINELS,
        host: str = "127.0.0.1",
        program: str = "redis-server",
    ) -> None:
        self.net = net
        self._program = program
        self._folder = folder
        self.processes: dict[int, subprocess.Popen[Any]] = {}
        for port in SERVERS:
            self.start(port)
        until(lambda: all(ask(net, port, "PING") == "PONG" for port in SERVERS), _SETTLED)
        for port in SERVERS[1:]:
            ask(net, port, "REPLICAOF", host, str(SERVERS[0]))
        until(lambda: self._replicas(SERVERS[0]) == 2, _SETTLED, "replicas")
        for port in sentinels:
            (folder / f"{port}.conf").write_text(
                f"port {port}\ndir {folder}\nprotected-mode no\n"
                f"sentinel monitor {NAME} {host} {SERVERS[0]} 2\n"
                f"sentinel down-after-milliseconds {NAME} 500\n"
                f"sentinel failover-timeout {NAME} 3000\n"
            )
            self.start_sentinel(port)
        if sentinels:
            until(self._agreed, _SETTLED, "sentinels know each other")

    def start(self, port: int) -> None:
        """Start the server at `port`."""
        (self._folder / str(port)).mkdir(exist_ok=True)
        self.processes[port] = self.net.start(
            *(self._program, "--port", str(port), "--save", "", "--protected-mode", "no"),
            *("--dir", str(self._folder / str(port)), "--repl-diskless-sync-delay", "0"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def start_sentinel(self, port: int) -> None:
        """Start the sentinel at `port`, with what it knew last."""
        self.processes[port] = self.net.start(
            self._program, str(self._folder / f"{port}.conf"), "--sentinel",
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def role(self, port: int) -> str:
        """Return what the server at `port` says of itself."""
        found = ask(self.net, port, "ROLE")
        return str(found[0]) if isinstance(found, list) else ""

    def follows(self, port: int, primary: int) -> bool:
        """Tell whether the server at `port` has all of `primary` by now, and goes on with it."""
        found = ask(self.net, port, "ROLE")
        words = [str(one) for one in found[:4]] if isinstance(found, list) else []
        return words[:1] == ["slave"] and words[2:4] == [str(primary), "connected"]

    def members(self, port: int) -> set[str]:
        """Return the members of the set that was written."""
        return members(lambda *words: ask(self.net, port, *words))

    def named(self) -> set[int]:
        """Return the ports of the primaries that sentinels name."""
        words = ("SENTINEL", "get-master-addr-by-name", NAME)
        found = [ask(self.net, port, *words) for port in SENTINELS]
        return {int(str(one[1])) for one in found if isinstance(one, list)}

    def close(self) -> None:
        """End all."""
        for process in self.processes.values():
            process.kill()
            process.wait()

    def _replicas(self, port: int) -> int:
        found = ask(self.net, port, "ROLE")
        return len(found[2]) if isinstance(found, list) and isinstance(found[2], list) else 0

    def _agreed(self) -> bool:
        for port in SENTINELS:
            found = ask(self.net, port, "SENTINEL", "master", NAME)
            if not isinstance(found, list):
                return False
            facts = dict(zip(found[::2], found[1::2], strict=True))
            if facts["num-slaves"] != "2" or facts["num-other-sentinels"] != "2":
                return False
        return True


class Writers(Writing):
    """Adds numbers to a set through `place`, one a connection and one by one on a kept one; knows
    when each was sent, and when it was acknowledged: between the two, whenever this process had its
    turn.
    """

    def __init__(self, net: Namespace, place: tuple[str, int]) -> None:
        self.sent: dict[str, float] = {}
        self._place = place
        super().__init__(net)

    def wait_for_one(self, since: float, within: float = 15.0) -> float:
        """Return when the first write after `since` was acknowledged."""

        def found() -> float:
            return min((t for t in list(self.acknowledged.values()) if t > since), default=0.0)

        return until(found, within, "a write that is acknowledged")

    def _write(self, prefix: str, each: bool) -> None:
        self._net.enter()
        sock: socket.socket | None = None
        number = 0
        while self._on:
            number += 1
            try:
                if sock is None:
                    sock = socket.create_connection(self._place, 10.0)
                self.sent[f"{prefix}{number}"] = time.monotonic()
                sock.sendall(command("SADD", "written", f"{prefix}{number}"))
                answer = sock.recv(200)
                if answer == b":1\r\n":
                    self.acknowledged[f"{prefix}{number}"] = time.monotonic()
                self.readonly += answer.startswith(b"-READONLY")
                if each or not answer:
                    sock.close()
                    sock = None
            except OSError as error:
                self.refused += isinstance(error, ConnectionRefusedError)
                if sock is not None:
                    sock.close()
                sock = None
            time.sleep(0.002)
        if sock is not None:
            sock.close()
