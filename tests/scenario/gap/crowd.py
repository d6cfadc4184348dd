"""Thousands of clients and the endpoint behind them, in a process of its own.

`python -m tests.scenario.gap.crowd ENDPOINT_PORT` listens there and takes whom it gets. Each line
of stdin is a JSON list, a method of `Crowd` and its arguments; when it is done, a line follows.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import os
import resource
import select
import socket
import struct
import subprocess
import sys
import time
from typing import Any

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER
_AT_ONCE = 64
_WITHIN = 60.0  # seconds


class Crowd:
    """Clients that come and go together."""

    def __init__(self, port: int) -> None:
        self._listening = socket.create_server(("127.0.0.1", port), backlog=4096)
        self._listening.setblocking(False)
        self._epoll = select.epoll()
        self._epoll.register(self._listening, select.EPOLLIN)
        self._clients: dict[int, socket.socket] = {}
        self._served: dict[int, socket.socket] = {}

    def come(self, host: str, port: int, count: int, served: bool = True) -> None:
        """Have so many connect at once, and wait until they have, and are `served`."""
        wanted = len(self._served) + count
        connecting = set()
        for _ in range(count):
            sock = socket.socket()
            sock.setblocking(False)
            if sock.connect_ex((host, port)) not in (0, errno.EINPROGRESS):
                raise OSError("no port is left for a client")
            self._clients[sock.fileno()] = sock
            self._epoll.register(sock, select.EPOLLOUT | select.EPOLLONESHOT)
            connecting.add(sock.fileno())
        end = time.monotonic() + _WITHIN
        while connecting or (served and len(self._served) < wanted):
            connecting -= self._turn()
            if time.monotonic() > end:
                raise TimeoutError(f"{len(connecting)} connecting, {len(self._served)} served")

    def served(self, count: int) -> None:
        """Wait until so many are at the endpoint."""
        end = time.monotonic() + _WITHIN
        while len(self._served) != count:
            self._turn()
            if time.monotonic() > end:
                raise TimeoutError(f"{len(self._served)} served")

    def go(self, how: str) -> None:
        """Have all clients leave, by "fin" or by "rst", and wait until the endpoint knows."""
        for sock in self._clients.values():
            if how == "rst":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            sock.close()
        self._clients.clear()
        self.served(0)

    def fall(self) -> None:
        """Have the endpoint reset all, and wait until the clients know."""
        for sock in self._served.values():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            sock.close()
        self._served.clear()
        self.gone()

    def gone(self) -> None:
        """Wait until all clients have been told to go."""
        for sock in self._clients.values():
            sock.setblocking(True)
            sock.settimeout(_WITHIN)
            with contextlib.suppress(ConnectionError):
                while sock.recv(4096):
                    pass
            sock.close()
        self._clients.clear()
        self.served(0)

    def forget(self) -> None:
        """Leave at once, whatever has become of them."""
        for sock in (*self._clients.values(), *self._served.values()):
            sock.close()
        self._clients.clear()
        self._served.clear()

    def flood(self, host: str, port: int, seconds: float) -> None:
        """Connect and leave without a pause."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            socks = [socket.socket() for _ in range(_AT_ONCE)]
            for sock in socks:
                sock.setblocking(False)
                sock.connect_ex((host, port))
            self._turn()
            for sock in socks:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                sock.close()

    def datagrams(self, host: str, port: int, clients: int, seconds: float) -> None:
        """Send datagrams from so many clients without a pause."""
        socks = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(clients)]
        for sock in socks:
            sock.setblocking(False)
            sock.connect((host, port))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for sock in socks:
                with contextlib.suppress(OSError):
                    sock.send(b"?" * 100)
        for sock in socks:
            sock.close()

    def _turn(self) -> set[int]:
        """Take what has come; return which clients have connected."""
        connected = set()
        for file, events in self._epoll.poll(0.1):
            if file == self._listening.fileno():
                for _ in range(_AT_ONCE):
                    try:
                        sock, _ = self._listening.accept()
                    except OSError:
                        break
                    sock.setblocking(False)
                    self._served[sock.fileno()] = sock
                    self._epoll.register(sock, select.EPOLLIN)
            elif file in self._served:
                with contextlib.suppress(BlockingIOError):
                    try:
                        if self._served[file].recv(4096):
                            continue
                    except ConnectionError:
                        pass
                    self._served.pop(file).close()
            elif file in self._clients and events & select.EPOLLOUT:
                connected.add(file)
        return connected


class Crowds:
    """Starts `main` in a process and has it do things; each waits until it is done."""

    def __init__(self, endpoint_port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.scenario.gap.crowd", str(endpoint_port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, what: str, *arguments: Any) -> None:
        """Have it do `what`."""
        self._process.stdin.write(json.dumps([what, *arguments]) + "\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """Wait until what has begun is done."""
        answer = self._process.stdout.readline().strip()
        assert answer == "done", answer or "it has ended"

    def do(self, what: str, *arguments: Any) -> None:
        """Do both."""
        self.begin(what, *arguments)
        self.end()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def main(port: int) -> None:
    """Do what stdin says."""
    crowd = Crowd(port)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.nice(5)  # who measures comes first
    gc.disable()
    for line in sys.stdin:
        what, *arguments = json.loads(line)
        try:
            getattr(crowd, what)(*arguments)
            said = "done"
        except (OSError, TimeoutError) as error:
            said = f"{what}: {error}"
        sys.stdout.write(f"{said}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
