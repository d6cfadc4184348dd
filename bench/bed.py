"""One peer in one topology, between a consumer's tools and the services they use."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import netns
from bench.errors import Missing
from bench.peers.peer import Forward, Limits, Peer
from bench.processes import (
    Process,
    cpu_seconds,
    environment,
    pss_kib,
    reap,
    tree,
    until_still,
)

__all__ = ["TOPOLOGIES", "Bed", "Timed", "answers", "ask"]

TOPOLOGIES = {
    "shared": "one namespace, over loopback",
    "three": "consumer, ambassador and service in a namespace each, on a bridge",
}
REDIS, IPERF, LISTEN_REDIS, LISTEN_IPERF = 6379, 5201, 7000, 7001
_STEP = 20  # between the ports of two beds that must share the machine's own namespace
_POLL = 0.001


@dataclass(slots=True)
class Timed:
    """What a client printed, how long it took, and the peer's processor time meanwhile."""

    output: str
    seconds: float
    cpu_seconds: float


@dataclass(slots=True)
class Bed:
    """A peer with a Redis and an iperf3 behind it. `number` makes names and ports its own."""

    peer: Peer
    topology: str
    folder: Path
    limits: Limits
    number: int
    isolated: bool = True
    places: netns.Places = field(init=False)
    _services: list[Process] = field(init=False, default_factory=list)
    _started: list[Process] = field(init=False, default_factory=list)
    _before: list[Process] = field(init=False, default_factory=list)  # from whom it took over
    _program: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def name(self) -> str:
        """The name of its namespaces."""
        return f"b{self.number}"

    def start(self) -> None:
        """Make everything anew and return when the peer forwards and has come to rest.

        Raises Missing, and leaves what was started to `end`.
        """
        self._prepare()
        self._start_peer(self._forwards())
        if shutil.which("redis-server"):
            self.until_through()
        elif self._started:
            port = self.address(IPERF)[1]
            _until_listening(self.places.ambassador, port, self._started[-1])
        until_still(self.processes)

    def start_anew(self, ports: Sequence[int] = (), within: float = 10) -> float:
        """Do the same with a route to the Redis at each of `ports` instead of the usual two, and
        return the seconds from the peer's start to a first byte through the last route; then it
        has come to rest, too.

        In namespaces of its own again: rules in the kernel may outlive their program.
        """
        self.end()
        self._prepare()
        forwards = [self.forward(port) for port in ports] or self._forwards()
        began = time.monotonic()
        self._start_peer(forwards)
        self.until_through((self.places.ambassador_host, ports[-1]) if ports else None, within)
        seconds = time.monotonic() - began
        until_still(self.processes)
        return seconds

    def _prepare(self) -> None:
        self._program = self.peer.find()
        if not self.isolated:
            if self.topology != "shared" or self.peer.name == "kernel":
                raise Missing("needs a network namespace, which this machine does not give us")
            self.places = netns.Places(None, None, None, "127.0.0.1", "127.0.0.1")
        elif self.topology == "shared":
            self.places = netns.make_shared(self.name)
        else:
            self.places = netns.make_three(self.name)
        self._start_services()

    def _start_services(self) -> None:
        host = "127.0.0.1" if not self.isolated else "0.0.0.0"
        redis, iperf = self._port(REDIS), self._port(IPERF)
        redis_options = ("--save", "", "--bind", host, "--tcp-backlog", "4096")
        commands = [["redis-server", "--port", str(redis), *redis_options]]
        # Without a password it would refuse who does not come from loopback.
        commands[0] += ["--protected-mode", "no", "--dir", str(self.folder)]
        commands += [["iperf3", "--server", "--port", str(iperf), "--bind", host]]
        for command, port in zip(commands, (redis, iperf), strict=True):
            if shutil.which(command[0]) is None:
                continue  # the loads that need it say so
            self._need_free(port, self.places.service)
            log = self.folder / f"{command[0]}.log"
            process = Process(command, log, self.places.service)
            self._services.append(process)
            # Not through a connection of ours: iperf3 would take it for its client.
            _until_listening(self.places.service, port, process)

    def _start_peer(self, forwards: Sequence[Forward]) -> None:
        for name, text in self.peer.files(forwards, self.folder, self.limits).items():
            (self.folder / name).write_text(text)
        for forward in (forwards[0], forwards[-1]):
            self._need_free(forward.listen[1], self.places.ambassador)
        commands = self.peer.commands(self._program, forwards, self.folder, self.limits)
        for number, command in enumerate(commands):
            log = self.folder / f"{self.peer.name}-{number}.log"
            self._started.append(Process(command, log, self.places.ambassador))

    def upgrade(self) -> tuple[Process, Process]:
        """Have our program taken over by another one; return the old and the new process at once,
        the new one being the peer from now on.
        """
        (old,) = self._started
        (command,) = self.peer.commands(self._program, self._forwards(), self.folder, self.limits)
        program, verb, *rest = command
        log = self.folder / f"{self.peer.name}-upgrade.log"
        new = Process([program, verb, "--upgrade", *rest], log, self.places.ambassador)
        self._before.append(old)
        self._started[:] = [new]
        return old, new

    def end(self) -> None:
        """End everything and remove the namespaces, with the rules in them."""
        for process in (*self._started, *self._before, *self._services):
            process.end(politely=not self.isolated)
        self._started.clear()
        self._before.clear()
        self._services.clear()
        if self.isolated:
            netns.end_places(self.name)
        reap()

    # --- where things are ---

    def _forwards(self) -> list[Forward]:
        return [
            self.forward(self._port(LISTEN_REDIS)),
            self.forward(self._port(LISTEN_IPERF), IPERF),
        ]

    def forward(self, listen: int, service: int = REDIS) -> Forward:
        """Return a route from a port of the ambassador to a service."""
        host = "0.0.0.0" if self.isolated else "127.0.0.1"
        return Forward((host, listen), (self.places.service_host, self._port(service)))

    def address(self, service: int = REDIS) -> tuple[str, int]:
        """Return what a client has to connect to."""
        if self.peer.name == "direct":
            return self.places.service_host, self._port(service)
        listen = LISTEN_REDIS if service == REDIS else LISTEN_IPERF
        return self.places.ambassador_host, self._port(listen)

    def _port(self, port: int) -> int:
        return port if self.isolated else port + 15000 + _STEP * self.number

    def _need_free(self, port: int, namespace: str | None) -> None:
        with netns.inside(namespace), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
            except OSError as error:
                raise Missing(f"port {port} is taken: {error.strerror}") from None

    # --- what a load does ---

    def client(self, command: Sequence[str], within: float, ok: Sequence[int] = (0,)) -> Timed:
        """Run a client's tool on the consumer's side, `within` seconds. Raises Missing, also for
        an exit code that is not `ok`.
        """
        peers = self.processes()
        before, began = cpu_seconds(peers), time.monotonic()
        try:
            with netns.inside(self.places.consumer):
                done = subprocess.run(
                    command,
                    check=False,
                    capture_output=True,
                    text=True,
                    timeout=within,
                    stdin=subprocess.DEVNULL,
                    env=environment(),
                )
        except subprocess.TimeoutExpired:
            raise Missing(f"{command[0]} did not end within {within:.0f} s") from None
        seconds = time.monotonic() - began
        spent = cpu_seconds(self.processes()) - before
        if done.returncode not in ok:
            why = (done.stderr or done.stdout).strip().splitlines() or ["without a word"]
            raise Missing(f"{command[0]}: exit code {done.returncode}: {why[-1][:200]}")
        return Timed(done.stdout, seconds, spent)

    def processes(self) -> list[int]:
        """Return the ids of all processes of the peer. Raises Missing when it has ended."""
        for process in self._started:
            if process.ended:
                raise Missing(f"it ended: {process.last_words()}")
        return [pid for process in self._started for pid in tree(process.pid)]

    def memory_kib(self) -> int:
        """Return the memory of the peer in KiB."""
        return pss_kib(self.processes())

    def connect(self, address: tuple[str, int] | None = None, within: float = 5) -> socket.socket:
        """Return a connection from the consumer's side to the Redis."""
        with netns.inside(self.places.consumer):
            return socket.create_connection(address or self.address(), within)

    @contextlib.contextmanager
    def hold(self, count: int) -> Iterator[list[socket.socket]]:
        """Have `count` sessions open and give their sockets; each has been used once. One is opened
        after the other: a short backlog, such as socat's, loses none. Raises Missing when one is
        refused.
        """
        with contextlib.ExitStack() as held:
            sessions = []
            for number in range(count):
                sessions.append(held.enter_context(self.connect()))
                if not ask(sessions[-1]):
                    raise Missing(f"session {number + 1} of {count} was closed")
            yield sessions

    def until_through(self, address: tuple[str, int] | None = None, within: float = 10) -> None:
        """Return once a first byte went through and back. Raises Missing."""
        deadline = time.monotonic() + within
        with netns.inside(self.places.consumer):
            while not answers(address or self.address()):
                self.processes()
                if time.monotonic() > deadline:
                    raise Missing(f"no answer through it within {within:g} s")
                time.sleep(_POLL)


def answers(address: tuple[str, int]) -> bool:
    """Tell whether a Redis answers at `address` now."""
    try:
        with socket.create_connection(address, 5) as connection:
            return ask(connection)
    except OSError:
        return False


def ask(connection: socket.socket) -> bool:
    """Send one PING; tell whether its answer came."""
    connection.sendall(b"PING\r\n")
    return connection.recv(64) == b"+PONG\r\n"


def _until_listening(namespace: str | None, port: int, process: Process) -> None:
    wanted = f":{port:04X}"
    deadline = time.monotonic() + 10
    while True:
        with netns.inside(namespace):
            rows = [
                line.split()
                for name in ("tcp", "tcp6")
                for line in _lines(Path(f"/proc/thread-self/net/{name}"))
            ]
        # proc_net(5): local address is the second field, state 0A is LISTEN
        if any(len(row) > 3 and row[1].endswith(wanted) and row[3] == "0A" for row in rows):
            return
        if process.ended or time.monotonic() > deadline:
            raise Missing(f"nothing listens on port {port}: {process.last_words()}")
        time.sleep(_POLL)


def _lines(path: Path) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return path.read_text().splitlines()
    return []
