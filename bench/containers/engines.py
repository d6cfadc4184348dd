"""Docker and Podman engines, each in network, mount, uts and pid namespaces of its own.

No registry and no way out: what runs in them is imported. An engine is this machine's, or one of a
folder with another Debian (`mmdebstrap --include=docker.io,podman,... forky FOLDER`). There
pivot_root and not chroot: `docker exec` and HEALTHCHECK would run in the machine's own root.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.errors import BenchError

__all__ = ["Engine", "engine", "entered", "until"]

_CLONE_NEWNET = 0x40000000  # linux/sched.h
_LIBC = ctypes.CDLL(None, use_errno=True)
_PREFIX = "/var/tmp/bench-containers"  # of folders, whose number is that of their process
_START = r"""
set -u
E=$1 R=$2 kind=$3 group=$4; shift 4
hostname bench-$kind; ip link set lo up
sysctl -qw net.ipv4.ip_forward=1
mkdir -p $E/cg; mount --rbind /sys/fs/cgroup $E/cg; mount -t sysfs sysfs /sys
if [ $kind = podman ] && [ -d $E/cg/memory ]; then # crun takes no hybrid of both versions
  mount -t tmpfs tmpfs /sys/fs/cgroup
  for c in $(ls $E/cg); do
    [ $c != unified ] && [ -d $E/cg/$c ] || continue
    mkdir /sys/fs/cgroup/$c; mount --bind $E/cg/$c /sys/fs/cgroup/$c
  done
else mount --rbind $E/cg /sys/fs/cgroup; fi
umount -l $E/cg
if [ "$R" ]; then
  mount --bind $R $R
  mount -t proc proc $R/proc; mount --rbind /sys $R/sys; mount --rbind /dev $R/dev
  mount -t tmpfs tmpfs $R/run; mount -t tmpfs tmpfs $R/tmp
  mkdir -p $R$E $R/etc/docker $R/.old; mount --bind $E $R$E; mount -t tmpfs tmpfs $R/etc/docker
  cd $R; pivot_root . .old; umount -l /.old; cd /
else
  mount -t tmpfs tmpfs /run; mkdir -p /etc/docker; mount -t tmpfs tmpfs /etc/docker
fi
[ ! -d /var/lib/cni ] || mount -t tmpfs tmpfs /var/lib/cni
# Podman leaves a copy of each image that it loads in TMPDIR.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin PODMAN_IGNORE_CGROUPSV1_WARNING=1 TMPDIR=$E/exec
trap "" HUP
while :; do
  if [ $kind = docker ]; then
    dockerd --data-root $E/data --exec-root $E/exec --pidfile $E/pid -H unix://$E/s --live-restore \
      --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent /$group "$@" &
  else
    podman --root $E/data --runroot $E/exec --network-config-dir $E/net \
      --cgroup-manager cgroupfs --events-backend file \
      "$@" system service --time=0 unix://$E/s &
  fi
  echo $! > $E/engine; wait $!
  while [ -e $E/wait ]; do sleep .02; done
done
"""


def until(
    condition: Callable[[], object], what: str, limit: float = 60.0, pause: float = 0.02
) -> None:
    """Return once `condition` holds. Raises BenchError after `limit` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"waited {limit:g} s for {what}")
        time.sleep(pause)


@contextmanager
def entered(namespace: str) -> Iterator[None]:
    """Be in the network namespace of this file with this thread."""
    with Path("/proc/thread-self/ns/net").open("rb") as home, Path(namespace).open("rb") as there:
        _enter(there.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET):
        raise BenchError(f"setns: {os.strerror(ctypes.get_errno())}")


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("engine", timeout=120)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(120)
        self.sock.connect(self._path)


class Engine:
    """Its `socket`, its `name` ("Docker 28.5.2"), and what is asked of it."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], kind: str) -> None:
        self.folder, self.kind = folder, kind
        self.socket = folder / "s"
        self._process = process
        self.name = ""

    @property
    def _inner(self) -> int:
        """The first process of its pid namespace, by the number we have for it."""
        pid = self._process.pid
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not found:
            raise BenchError(f"the engine has ended: {self.log()}")
        return int(found[0])

    def log(self) -> str:
        """Return what it said last."""
        return (self.folder / "log").read_text(errors="replace")[-1500:]

    @property
    def host(self) -> str:
        """The file of its host's network namespace."""
        return f"/proc/{self._inner}/ns/net"

    def namespace(self, name: str) -> str:
        """Return the file of the network namespace of the container `name`."""
        key = self.inspect(name)["NetworkSettings"]["SandboxKey"]
        return f"/proc/{self._inner}/root{key}"

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Return the answer, as JSON where it is that. Raises BenchError where it refuses."""
        connection = _Unix(self.socket)
        data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        kind = "application/x-tar" if isinstance(body, bytes) else "application/json"
        try:
            connection.request(
                method, path, data if method == "POST" else None, {"Content-Type": kind}
            )
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            words = said[:300].decode(errors="replace")
            raise BenchError(f"{self.name}: {method} {path}: {answer.status} {words}")
        with contextlib.suppress(ValueError):
            return json.loads(said)
        return None

    def answers(self) -> bool:
        """Tell whether it answers now."""
        with contextlib.suppress(OSError, http.client.HTTPException, BenchError):
            self.ask("GET", "/_ping")
            return True
        return False

    def inspect(self, name: str) -> Any:
        """Return what it says of the container `name`."""
        return self.ask("GET", f"/containers/{name}/json")

    def address(self, name: str, network: str) -> str:
        """Return the address of the container `name` in `network`."""
        return str(self.inspect(name)["NetworkSettings"]["Networks"][network]["IPAddress"])

    def load(self, tar: bytes, name: str) -> None:
        """Make an image of the file system `tar`."""
        change = quote("EXPOSE 6379")
        self.ask("POST", f"/images/create?fromSrc=-&repo={name}&tag=latest&changes={change}", tar)

    def kill(self, number: int) -> None:
        """Send the engine's process a signal, and nothing else; it is started again."""
        own = int((self.folder / "engine").read_text())
        subprocess.run(
            ["nsenter", "-t", str(self._inner), "-p", "-m", "kill", f"-{number}", str(own)],
            check=True,
        )


@contextmanager
def engine(kind: str, root: str, *more: str) -> Iterator[Engine]:
    """Start an engine of a `kind` (docker, podman), from the folder `root` or (empty) the
    machine's own, and end it with all that is in it.
    """
    # The paths of sockets are short.
    folder = Path(f"{_PREFIX}.{os.getpid()}")
    folder.mkdir(mode=0o711)
    for name in ("data", "exec", "log.d"):
        (folder / name).mkdir()
    group = folder.name.replace(".", "-")
    _remove_stale()
    # Whoever kills the bench ends the engine, too.
    words = (
        *("setpriv", "--pdeathsig", "KILL"),
        *("unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child"),
    )
    script = ("--mount-proc", "--propagation", "private", "bash", "-c", _START, "bash")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*words, *script, str(folder), root, kind, group, *more],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    found = Engine(folder, process, kind)
    try:
        until(found.answers, f"{kind} of {root or 'this machine'} to answer", pause=0.1)
        said = found.ask("GET", "/version")
        found.name = f"{kind.capitalize()} {said['Version'].partition('+')[0]}"
        yield found
    except BenchError as error:
        raise BenchError(f"{error}\n{found.log()}") from None
    finally:
        with contextlib.suppress(OSError, BenchError, http.client.HTTPException):
            for one in found.ask("GET", "/containers/json?all=1"):
                found.ask("DELETE", f"/containers/{one['Id']}?force=1&t=0")
        process.send_signal(signal.SIGKILL)  # the kernel ends its pid namespace with it
        process.wait()
        _remove(folder, group)


def _remove_stale() -> None:
    for folder in Path("/").glob(f"{_PREFIX[1:]}.*"):
        if not Path("/proc", folder.suffix[1:]).exists():
            _remove(folder, folder.name.replace(".", "-"))


def _remove(folder: Path, group: str) -> None:
    for top in (*Path("/sys/fs/cgroup").glob(group), *Path("/sys/fs/cgroup").glob(f"*/{group}")):
        for path in (*sorted(top.rglob("*/"), reverse=True), top):
            with contextlib.suppress(OSError):
                path.rmdir()
    shutil.rmtree(folder, ignore_errors=True)
