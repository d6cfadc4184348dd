"""An ambassador with 3,000 routes, of which one is asked all the time, and all that it meets."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ambassador.admin import client
from ambassador.core.commands import Command, Release, Reset
from ambassador.errors import AmbassadorError
from tests.ports import free_port
from tests.program import Program, with_etc
from tests.scenario.gap.crowd import Crowds
from tests.scenario.gap.ticking import Met, Ticking
from tests.wait import until

__all__ = ["CROWD", "NAMES", "NET", "NameServer", "Scene"]

ROUTES = 3000  # of the configuration file
NAMES = 1000  # that may be asked for
# Clients that come at once: each has two descriptors of the ambassador, where it may have so many.
_LEFT = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - ROUTES - 1000
CROWD = min(5000, _LEFT // 2)
NET = f"127.{100 + os.getpid() % 100}"  # ours alone, also beside another run on this machine
_DNS = f"{NET}.0.53"  # a name server of our own


class Scene:
    """Starts everything. What is met counts within `watched`."""

    def __init__(self, folder: Path, workers: int, routes: int = ROUTES) -> None:
        self.folder, self.routes, self.admin = folder, routes, folder / "admin.sock"
        self.front, self.behind, self.crowd_port, self.monitor, self.api, self.dead = (
            free_port() for _ in range(6)
        )
        self.config, self.hosts = folder / "ambassador.toml", folder / "hosts"
        self.token = "0123456789abcdef0123"
        self.met: list[Met] = []
        self._ports: dict[str, int] = {}
        resolv = folder / "resolv.conf"
        resolv.write_text(f"nameserver {_DNS}\noptions ndots:0\n")
        self.hosts.write_text("127.0.0.1 localhost\n")
        self.write(self.plain())
        self.names = NameServer()
        self._arguments = (
            f"ECHO_PORT_{self.front}_TCP=tcp://127.0.0.1:{self.behind}",
            *(f"{name.upper()}_PORT_{self.port(name)}_TCP=tcp://127.0.0.1:{to}" for name, to in (
                ("crowd", self.crowd_port), ("other", self.crowd_port), ("dead", self.dead),
            )),
            f"DATA_PORT_{self.port('data')}_UDP=udp://127.0.0.1:{self.behind}",
        )  # fmt: skip
        self._before = with_etc(resolv, self.hosts)
        self._environ = {
            "AMBASSADOR_PLANE": "relay",
            "AMBASSADOR_LEVEL": "debug",
            "AMBASSADOR_ACCESS_LOG": str(folder / "access.log"),
            "AMBASSADOR_STATE": str(folder / "state"),
            "AMBASSADOR_WORKERS": str(workers),
            "AMBASSADOR_ADMIN": str(self.admin),
            "AMBASSADOR_METRICS": f"127.0.0.1:{self.monitor}",
            "AMBASSADOR_API": f"127.0.0.1:{self.api}",
            "AMBASSADOR_API_TOKEN": self.token,
            "AMBASSADOR_CONFIG": str(self.config),
        }
        self.program = self._run()
        with contextlib.ExitStack() as stack:
            stack.callback(self.names.close)
            stack.enter_context(self.program)
            self.program.wait_for("ready", 30)
            self.crowds = Crowds(self.crowd_port)
            stack.callback(lambda: self.crowds.close())  # noqa: PLW0108 (those of the end)
            self.ticking = Ticking(self.behind, self.front, self.pid)
            stack.callback(lambda: self.ticking.close())  # noqa: PLW0108 (that of the end)
            until(lambda: self.ticking.met().asked, 10)  # it is on its way
            if workers:
                self._until_carried()
            self._ends = stack.pop_all()

    def _until_carried(self) -> None:
        """Have workers started, by much to do, and one of them carry the session."""
        self.crowds.begin("flood", "127.0.0.1", self.port("crowd"), 2.0)
        until(lambda: self.children, 10, "workers are started")
        self.crowds.end()
        self.crowds.do("served", 0)

        def carried() -> bool:
            self.succeed(self.program)
            return self.ticking.met().carrier in self.children

        until(carried, 20, "a worker carries it")

    @property
    def children(self) -> list[int]:
        """The processes that the ambassador has started."""
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    def _run(self, *more: str) -> Program:
        return Program(
            *self._arguments, *more, before=self._before, measured=False, **self._environ
        )

    def upgraded(self) -> Program:
        """Have another take over; return it when it has."""
        new = self._ends.enter_context(self._run("--upgrade"))
        new.wait_for("ready", 30)
        return new

    def succeed(self, new: Program) -> None:
        """Measure what `new` carries from now on."""
        self.ticking.close()
        self.program = new
        self.ticking = Ticking(self.behind, self.front, self.pid)
        until(lambda: self.ticking.met().asked, 10)

    @property
    def pid(self) -> int:
        return self.program.process.pid

    def port(self, name: str) -> int:
        """Return where the route so called listens."""
        if name not in self._ports:
            self._ports[name] = free_port()
        return self._ports[name]

    def close(self) -> None:
        self._ends.close()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Let count what an unrelated session meets inside."""
        self.ticking.met()
        yield
        self.met.append(self.ticking.met())

    @contextlib.contextmanager
    def left_clean(self) -> Iterator[None]:
        """Let what fails inside be no burden for what comes after it."""
        try:
            yield
        except BaseException:
            self.crowds.close()
            self.crowds = Crowds(self.crowd_port)
            self.write(self.plain())
            self.ask(Release("crowd"))
            self.ask(Reset())
            raise

    def ask(self, command: Command) -> object:
        """Have it done, or refused."""
        try:
            return client.ask(self.admin, command, 60)
        except AmbassadorError as error:
            return error

    def plain(self, count: int | None = None, host: str = "127.0.0.3") -> str:
        """Return a configuration with so many routes; `host` may have a place for their number."""
        return "".join(
            f'[route.f{number}]\nlisten = "{NET}.{1 + number // 1000}.1:{12000 + number % 1000}"\n'
            f'endpoints = "tcp://{host.format(number)}:{self.behind}"\n'
            for number in range(self.routes if count is None else count)
        )

    def write(self, text: str) -> None:
        """Let the configuration say `text`, at once."""
        new = self.config.with_suffix(".new")
        new.write_text(text)
        new.replace(self.config)

    def post(self, path: str, body: bytes) -> None:
        """Say `body` to the admin socket, whatever it is, and wait for the answer."""
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        self.say(self.admin, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def get(self, path: str, port: int | Path) -> None:
        """Ask for `path` at a port or a path, and read all of the answer."""
        rights = f"Authorization: Bearer {self.token}\r\n"
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\n{rights}Connection: close\r\n\r\n"
        with self.connected(port) as sock, contextlib.suppress(ConnectionError):
            sock.sendall(head.encode())
            while sock.recv(1 << 20):
                pass

    def say(self, where: int | Path, raw: bytes) -> None:
        """Say `raw` to a port or a path, whatever it is, and wait for the answer or the end."""
        with self.connected(where) as sock, contextlib.suppress(ConnectionError):
            sock.sendall(raw)
            sock.recv(65536)

    def connected(self, where: int | Path) -> socket.socket:
        """Return a connection to a port of ours, or to a path."""
        if isinstance(where, int):
            return socket.create_connection(("127.0.0.1", where), 30)
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(30)
        sock.connect(str(where))
        return sock


class NameServer:
    """Answers at _DNS as it is told to: `say` returns the answers for the names that begin with
    "n", in datagrams; None: there is no such name.
    """

    def __init__(self) -> None:
        self.address = ""  # of every name; empty: there is none
        self.garbage = False
        self.pause = 0.0  # seconds before each answer
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._sock.bind((_DNS, 53))
        self._sock.settimeout(0.2)
        self._over = threading.Event()
        self._chance = random.Random(1)
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._sock.close()

    def _work(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                asked, whose = self._sock.recvfrom(4096)
                if self.pause:
                    time.sleep(self.pause)
                for answer in self._answers(asked):
                    self._sock.sendto(answer, whose)

    def _answers(self, asked: bytes) -> Sequence[bytes]:
        end = asked.index(0, 12) + 5
        question, kind = asked[12:end], asked[end - 4 : end - 2]
        if self.garbage:
            chance = self._chance.randbytes
            loop = struct.pack(">5H", 0x8180, 1, 9, 0, 0) + question + b"\xc0\x0c" * 200
            return [chance(400), asked[:2] + chance(300), asked[:2] + loop, asked[:2], b""]
        if not self.address:
            return [asked[:2] + struct.pack(">5H", 0x8183, 1, 0, 0, 0) + question]
        found = b""
        if kind == b"\x00\x01":
            found = struct.pack(">HHHIH", 0xC00C, 1, 1, 1, 4) + socket.inet_aton(self.address)
        head = struct.pack(">5H", 0x8180, 1, bool(found), 0, 0)
        return [asked[:2] + head + question + found]
