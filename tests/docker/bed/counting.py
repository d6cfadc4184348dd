"""Clients that count, started in the network of a host: HOST PORT; until the end of its input.

Some keep one connection for all their life, others have a new one for each count. Prints, as JSON,
how many counts and connections there were, the longest wait for one, and what went wrong.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time

KEPT, FRESH = 6, 3


class Counting:
    """All of them; see above."""

    def __init__(self, host: str, port: int) -> None:
        self._place = host, port
        self._stop = threading.Event()
        self.counts: dict[str, int] = {}
        self.connections = KEPT
        self.longest = 0.0
        self.failures: list[str] = []

    def count(self, name: str, kept: bool) -> None:
        """Count on a key of its own, and compare each answer with what it must be."""
        self.counts[name] = 0
        sock: socket.socket | None = None
        try:
            while not self._stop.is_set():
                began = time.monotonic()
                if sock is None:
                    sock = socket.create_connection(self._place, 15)
                sock.sendall(f"INCR {name}\r\n".encode())
                answer = b""
                while not answer.endswith(b"\r\n"):
                    piece = sock.recv(100)
                    if not piece:
                        raise OSError("the end came instead of an answer")
                    answer += piece
                self.counts[name] += 1
                if answer != b":%d\r\n" % self.counts[name]:
                    raise ValueError(f"{answer!r} where {self.counts[name]} was due")
                self.longest = max(self.longest, time.monotonic() - began)
                if not kept:
                    self.connections += 1
                    sock.close()
                    sock = None
        except (OSError, ValueError) as error:
            self.failures.append(f"{name} after {self.counts[name]}: {error!r}")

    def run(self) -> None:
        """Count until nobody writes to us any longer."""
        names = [(f"kept{n}", True) for n in range(KEPT)]
        names += [(f"fresh{n}", False) for n in range(FRESH)]
        threads = [threading.Thread(target=self.count, args=one) for one in names]
        for thread in threads:
            thread.start()
        sys.stdin.read()
        self._stop.set()
        for thread in threads:
            thread.join(20)
        facts = {
            "counts": sum(self.counts.values()),
            "connections": self.connections,
            "longest": self.longest,
            "failures": self.failures,
        }
        sys.stdout.write(json.dumps(facts))


if __name__ == "__main__":
    Counting(sys.argv[1], int(sys.argv[2])).run()
