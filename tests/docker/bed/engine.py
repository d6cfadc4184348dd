"""One dockerd with processes, network, mounts and /run of its own, and its command line."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .command import CommandError, run, until

START = """
set -eu
if [ "$1" ]; then
  mkdir cgroup
  mount --rbind /sys/fs/cgroup cgroup
  mount -t sysfs sysfs /sys
  mount --rbind cgroup /sys/fs/cgroup
  ip link set lo up
fi
shift
cat /etc/resolv.conf > resolv.conf
mount -t tmpfs tmpfs /run
mkdir -p /run/etc /run/work
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work overlay /etc
rm -rf /etc/docker /etc/resolv.conf
mkdir /etc/docker
cat resolv.conf > /etc/resolv.conf
exec dockerd "$@"
"""
# The overlay keeps a link of /etc/resolv.conf into /run from dangling, and /etc/docker ours.
# A fresh sysfs shows the interfaces of the new network namespace, which dockerd reads.

PREFIX = "ambassador-bed"  # of the folder and the cgroups of an engine
NO_NETWORK = ["--bridge", "none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"]


@dataclass(frozen=True)
class Engine:
    """A running engine: its folder, its first process, the address its host has, if any."""

    folder: Path
    pid: int
    address: str | None

    def docker(
        self,
        *args: str,
        within: float = 60,
        text: str | None = None,
        ok: Sequence[int] | None = (0,),
    ) -> str:
        """Run one docker command; return its standard output without the last newline."""
        return self.client(*args, within=within, text=text, ok=ok).stdout.strip()

    def client(
        self,
        *args: str,
        within: float = 60,
        text: str | None = None,
        ok: Sequence[int] | None = (0,),
    ) -> subprocess.CompletedProcess[str]:
        """Run one docker command; return its exit code and both outputs."""
        return run(["docker", *args], within=within, env=self.environment, text=text, ok=ok)

    def post(self, path: str) -> bool:
        """Send one request to the engine's API, far sooner than a command can; say if it did it."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(f"{self.folder}/docker.sock")
            connection.sendall(
                f"POST {path} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n".encode()
            )
            return b" 204 " in connection.makefile("rb").readline()

    @property
    def environment(self) -> dict[str, str]:
        """What a docker or docker-compose command needs to reach this engine."""
        return {
            "DOCKER_HOST": f"unix://{self.folder}/docker.sock",
            "DOCKER_CONFIG": f"{self.folder}/client",
            "DOCKER_BUILDKIT": "0",  # Debian's docker.io has no buildx
        }

    def inside(self, *argv: str) -> list[str]:
        """Return `argv` as a command run in the network of this host."""
        return ["nsenter", "-t", str(self.pid), "--net", *argv]

    def inspect(self, name: str) -> dict[str, Any]:
        """Return everything the engine knows of one container or image."""
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", name))
        return found[0]

    def container_address(self, name: str) -> str:
        """Return the address of a container on the engine's default network."""
        return str(self.inspect(name)["NetworkSettings"]["IPAddress"])

    def logs(self, name: str) -> str:
        """Return both outputs of a container so far, or why there are none."""
        done = self.client("logs", name, ok=None)
        return done.stdout + done.stderr

    def running(self, name: str) -> bool:
        """Say whether a container runs now."""
        return bool(self.inspect(name)["State"]["Running"])

    def exit_code(self, name: str, *, within: float = 15) -> int:
        """Wait for a container's end and return its exit code."""
        return int(self.docker("wait", name, within=within))

    def all_logs(self) -> str:
        """Return what every container here has said, for a test that failed."""
        names = self.docker("ps", "-a", "--format", "{{.Names}}").split()
        return "".join(f"--- {name}\n{self.logs(name)[-3000:]}\n" for name in names)

    def sweep(self) -> None:
        """Remove every container and every network and volume that was added."""

        def empty() -> bool:
            names = self.docker("ps", "-aq").split()
            if names:
                # One that was started with --rm may be going away by itself at this moment.
                self.docker("rm", "-fv", *names, ok=None)
            return not names

        until(empty, "no container is left")
        self.docker("network", "prune", "-f")
        self.docker("volume", "prune", "-f")


@contextmanager
def engine(name: str, address: str | None = None) -> Iterator[Engine]:
    """Start an engine and end all of it with the block.

    With an `address`, which `cable` gives it, it has a network namespace of its own and no way
    out of the machine. Without, it shares the machine's network, makes no bridge and no rule
    in it, and can build images.
    """
    _remove_stale()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}-{os.getpid()}-{name}-"))
    parent = folder.name
    script = [
        *("setpriv", "--pdeathsig", "KILL"),
        *("unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"),
        *(["--net"] if address else []),
        *("sh", "-c", START, "sh", address or ""),
        *("--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"),
        *("--pidfile", f"{folder}/pid", "--host", f"unix://{folder}/docker.sock"),
        *("--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"/{parent}"),
        *([] if address else NO_NETWORK),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            script, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield _started(folder, process, address)
    finally:
        _stop(process)
        _remove(folder)


def _started(folder: Path, process: subprocess.Popen[bytes], address: str | None) -> Engine:
    """Wait for the engine's first answer."""

    def log() -> str:
        return (folder / "log").read_text()[-2000:]

    def first() -> int | None:
        if process.poll() is not None:
            raise CommandError(f"dockerd ended: {log()}")
        return next(iter(_children(process.pid)), None)

    def answers() -> bool:
        first()
        return found.client("version", within=5, ok=None).returncode == 0

    found = Engine(folder, until(first, "a first process"), address)
    try:
        until(answers, "dockerd answers", within=30)
    except AssertionError as late:
        raise CommandError(f"{late}\n{log()}") from None
    return found


def _children(pid: int) -> list[int]:
    try:
        return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask dockerd to end, which stops its containers and unmounts; then end what is left."""
    for pid in _children(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()  # --kill-child: the kernel ends the PID namespace with it
        process.wait(timeout=10)


def _remove_stale() -> None:
    """Remove what runs have left that were killed; their processes died with them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}-*"):
        owner = folder.name.removeprefix(PREFIX).split("-")[1]
        if not Path("/proc", owner).exists():
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove an engine's files and its empty cgroups in every hierarchy, v1 or v2."""
    parent = folder.name

    def gone() -> bool:
        left = [Path("/sys/fs/cgroup") / parent, *Path("/sys/fs/cgroup").glob(f"*/{parent}")]
        for top in left:
            for path in sorted(top.rglob("*/"), reverse=True):
                with contextlib.suppress(OSError):
                    path.rmdir()
            with contextlib.suppress(OSError):
                top.rmdir()
        return not any(top.exists() for top in left)

    until(gone, f"no cgroup {parent}", within=10)
    shutil.rmtree(folder)
