"""What stands on an engine: two servers that say who they are, and the ambassador, in a network."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench.containers.clients import Clients
from bench.containers.engines import Engine, entered, until
from bench.errors import Missing
from bench.options import CACHE

__all__ = ["Ambassador", "Stage", "used"]

NETWORK, PORT, STEADY = "inner", 7000, 7001
_IMAGE = "localhost/bench-redis"
_UP = re.compile(r"(\d+ \w{3} \d{4} [\d:.]+) \* Ready to accept connections")


def _redis() -> bytes:
    """Return a file system of redis-server and the libraries it needs, as tar."""
    found = shutil.which("redis-server")
    if found is None:
        raise Missing("redis-server is not installed")
    program = Path(found).resolve()
    libraries = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True)
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w") as tar:
        tar.add(program, "redis-server")
        for path in re.findall(r"(/\S+) \(0x", libraries.stdout):
            tar.add(Path(path).resolve(), path.lstrip("/"))
    return into.getvalue()


class Stage:
    """`redis` is the one that is meant, `other` takes its addresses, and the ambassador is in the
    network namespace of `home`.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        engine.load(_redis(), _IMAGE)
        pool = [{"Subnet": "10.98.0.0/24", "Gateway": "10.98.0.1"}]
        engine.ask("POST", "/networks/create", {"Name": NETWORK, "IPAM": {"Config": pool}})
        for name in ("home", "redis", "other", "steady"):
            self.create(name)
            engine.ask("POST", f"/containers/{name}/start")
        self.up_since("redis", 0.0)
        self.home = engine.address("home", NETWORK)

    def create(self, name: str) -> None:
        """Make a container with a server that says its name; it does not run yet."""
        words = ("/redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "")
        more = ("--dbfilename", name, "--logfile", f"/log/{name}")
        host = {
            "NetworkMode": NETWORK,
            "Binds": [f"{self.engine.folder}/log.d:/log"],
            "LogConfig": {"Type": "none" if self.engine.kind == "docker" else "k8s-file"},
        }
        wanted = {"Image": _IMAGE, "Cmd": [*words, *more], "HostConfig": host}
        self.engine.ask("POST", f"/containers/create?name={name}", wanted)

    def up_since(self, name: str, moment: float) -> float:
        """Return when the server in `name` took connections, by its own log, after `moment`."""
        path, found = self.engine.folder / "log.d" / name, 0.0

        def up() -> bool:
            nonlocal found
            lines = _UP.findall(path.read_text()[-4000:]) if path.exists() else ()
            if lines:
                at = datetime.strptime(lines[-1], "%d %b %Y %H:%M:%S.%f").replace(tzinfo=UTC)
                found = at.timestamp()
            return found > moment

        until(up, f"{name} to take connections", pause=0.005)
        return found

    def take(self, address: str) -> None:
        """Give `other`, which runs, this address."""
        body = {"Container": "other", "Force": True}
        self.engine.ask("POST", f"/networks/{NETWORK}/disconnect", body)
        there = {"IPAMConfig": {"IPv4Address": address}}
        body = {"Container": "other", "EndpointConfig": there}
        self.engine.ask("POST", f"/networks/{NETWORK}/connect", body)

    def stop(self, name: str = "redis") -> str:
        """Stop a container; return the address it had."""
        address = self.engine.address(name, NETWORK)
        self.engine.ask("POST", f"/containers/{name}/stop?t=0")
        return address

    def start(self, name: str = "redis") -> float:
        """Start a container; return when its server took connections."""
        before = time.time()
        self.engine.ask("POST", f"/containers/{name}/start")
        return self.up_since(name, before)

    @contextmanager
    def clients(self, port: int = PORT, number: int = 4, pause: float = 0.02) -> Iterator[Clients]:
        """Clients on the engine's host, which go through the ambassador."""
        clients = Clients(self.engine.host, self.home, port, number, pause)
        try:
            yield clients
        finally:
            clients.stop()

    @contextmanager
    def ambassador(
        self, endpoint: str, plane: str, socket: Path | None = None, dns: str = ""
    ) -> Iterator[Ambassador]:
        """`ambassador run` in the network of `home`, until the block ends."""
        folder = self.engine.folder
        environ = {
            "REDIS_PORT_6379_TCP": endpoint,
            "REDIS_PORT_6379_TCP_LISTEN": f":{PORT}",
            "STEADY_PORT_6379_TCP": endpoint.replace("redis", "steady", 1),
            "STEADY_PORT_6379_TCP_LISTEN": f":{STEADY}",
            "AMBASSADOR_DOCKER": f"unix://{socket or self.engine.socket}",
            "AMBASSADOR_PLANE": plane,
            "AMBASSADOR_ADMIN": str(folder / "admin"),
        }
        words = [sys.executable, "-m", "ambassador", "run"]
        if dns:
            (folder / "resolv.conf").write_text(f"nameserver {dns}\n")
            script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
            words = ["unshare", "-m", "sh", "-c", script, str(folder / "resolv.conf"), *words]
        if plane == "kernel":  # what --sysctl net.ipv4.ip_forward=1 does
            with entered(self.engine.namespace("home")):
                Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        ambassador = Ambassador(words, self.engine.namespace("home"), environ, folder / "said")
        try:
            if plane == "kernel":
                until(lambda: "plane kernel" in ambassador.said.read_text(), "the kernel plane")
            yield ambassador
        finally:
            ambassador.end()


class Ambassador:
    """A process in a network namespace; what it says is in the file `said`."""

    def __init__(
        self, words: list[str], namespace: str, environ: dict[str, str], said: Path
    ) -> None:
        self.said = said
        ours = {name: value for name, value in os.environ.items() if "AMBASSADOR" not in name}
        environ = {**ours, **environ, "PYTHONPYCACHEPREFIX": str(CACHE / "bytecode")}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode
        with said.open("wb") as log, entered(namespace):
            self.process = subprocess.Popen(words, env=environ, stdout=log, stderr=log)
        until(lambda: "is ready" in said.read_text(), f"{words[-3:]} to be ready")

    def signal(self, number: int) -> None:
        """Send it, and the processes it has for sessions, a signal."""
        for pid in (self.process.pid, *_children(self.process.pid)):
            os.kill(pid, number)

    def used(self) -> tuple[float, float]:
        """Return the seconds of the processor, and the MB of memory, of all its processes."""
        every = [used(pid) for pid in (self.process.pid, *_children(self.process.pid))]
        return sum(one for one, _ in every), sum(two for _, two in every)

    def end(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        killer = threading.Timer(10, self.process.kill)
        killer.start()
        self.process.wait()
        killer.cancel()


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *_children(int(child))]
    return found


def used(pid: int) -> tuple[float, float]:
    """Return the seconds of the processor that a process has used, and its MB of memory: its
    share of what it shares.
    """
    spent = sum(
        int((task / "schedstat").read_text().split()[0])
        for task in Path(f"/proc/{pid}/task").iterdir()
    )
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    share = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
    return spent / 1e9, int(share.split()[1]) / 1024
