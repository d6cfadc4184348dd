"""A load that notices everything: each answer of Redis is one that must come now, or it is told."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from tests.netns import Network
from tests.wait import until

__all__ = ["Benchmark", "Counting", "Redis"]

PLACE = ("10.77.0.2", 6379)
PORT = 7000
# A load of short connections leaves tens of thousands behind that wait for their time to be over.
_MANY = {"net__ipv4__ip_local_port_range": "10000 65000", "net__ipv4__tcp_tw_reuse": 1}


class Redis:
    """One instance in the namespace `where`, which says so when it is asked for `who`."""

    def __init__(self, network: Network, where: str) -> None:
        self.where = where
        self.endpoint = f"{network.address(where)}:{PORT}"
        self._namespace = getattr(network, where)
        self._folder = Path(tempfile.mkdtemp(prefix="ambassador-load-"))
        self._process = self._namespace.start(
            *("redis-server", "--port", str(PORT), "--bind", "0.0.0.0", "--save", ""),
            *("--protected-mode", "no", "--dir", str(self._folder)),
            stdout=subprocess.DEVNULL,
        )
        until(self._answers, 10, f"Redis in {where} answers")
        self.ask(f"SET who {where}")

    def ask(self, *commands: str) -> list[bytes]:
        """Return the answers, a line each, past the network."""
        with self._namespace.call(socket.create_connection, ("127.0.0.1", PORT), 10) as sock:
            return _exchange(sock, *commands)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder)

    def _answers(self) -> bool:
        try:
            return self.ask("PING") == [b"+PONG"]
        except OSError:
            return False


class Counting:
    """Clients that count, each on a key of its own, and compare each answer with what it must be.

    A `kept` one has one connection for all its life, and so one instance; a `fresh` one has a new
    one for each count. A stall is the time from the beginning of a round to its answer.
    """

    def __init__(self, network: Network, kept: int, fresh: int) -> None:
        self.failures: list[str] = []
        self.rounds = 0
        self.stalls: dict[str, float] = {"kept": 0.0, "fresh": 0.0}
        self.counts: dict[str, Counter[str]] = {}
        self._network = network
        self._stop = threading.Event()
        names = [f"kept{n}" for n in range(kept)] + [f"fresh{n}" for n in range(fresh)]
        for name in names:
            self.counts[name] = Counter()
        self._threads = [threading.Thread(target=self._count, args=(name,)) for name in names]
        for thread in self._threads:
            thread.start()

    def progress(self, rounds: int = 40) -> None:
        """Wait for so many rounds more, of all together."""
        before = self.rounds
        until(
            lambda: self.rounds >= before + rounds or self.failures,
            20,
            f"{rounds} rounds more; {self.failures}",
        )
        assert self.failures == []

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _count(self, name: str) -> None:
        self._network.client.enter()
        kind = name.rstrip("0123456789")
        sock: socket.socket | None = None
        places = set()
        try:
            while not self._stop.is_set():
                began = time.monotonic()
                if sock is None:
                    sock = socket.create_connection(PLACE, 20)
                count, who = _exchange(sock, f"INCR {name}", "GET who")
                self.stalls[kind] = max(self.stalls[kind], time.monotonic() - began)
                where = who.decode()
                self.counts[name][where] += 1
                assert count == b":%d" % self.counts[name][where], f"{count!r} at {where}"
                self.rounds += 1
                if kind == "fresh":
                    sock.close()
                    sock = None
                else:
                    places.add(where)
                    assert len(places) == 1, f"one connection led to {places}"
        except (AssertionError, OSError, ValueError) as error:
            self.failures.append(f"{name} after {self.counts[name].total()}: {error!r}")
        finally:
            if sock is not None:
                sock.close()


class Benchmark:
    """redis-benchmark in a loop, with connections that are kept or new ones for each request."""

    def __init__(self, network: Network, out: Path, *, kept: bool, clients: int) -> None:
        """What it says goes to the file `out`."""
        for namespace in (network.client, network.ambassador):
            namespace.sysctl(**_MANY)
        self._out = out
        with out.open("wb") as writing:
            self._process = network.client.start(
                *("redis-benchmark", "-h", PLACE[0], "-p", str(PLACE[1]), "-l", "-q"),
                *("-k", str(int(kept)), "-c", str(clients), "-n", "1000", "-t", "incr"),
                stdout=writing,
                stderr=subprocess.STDOUT,
            )

    def stop(self) -> str:
        """End it; return what is wrong with it: it ends by itself where a connection fails."""
        code = self._process.poll()
        self._process.kill()
        self._process.wait()
        text = self._out.read_text(errors="replace")
        if code is not None or "rror" in text or "Could not" in text:
            return f"ended with {code}: {text[-500:]}"
        return "" if "requests per second" in text else "it did nothing"


def _exchange(sock: socket.socket, *commands: str) -> list[bytes]:
    """Return one line an answer; of a bulk string, what is in it, `$-1` where there is none."""
    sock.sendall("".join(f"{command}\r\n" for command in commands).encode())
    data = b""
    while True:
        lines = data.split(b"\r\n")[:-1]
        found = [line for line in lines if line == b"$-1" or line[:1] != b"$"]
        if len(found) >= len(commands):
            return found
        piece = sock.recv(4096)
        if not piece:
            raise ConnectionError("the connection has ended")
        data += piece
