"""One dockerd with processes, network, mounts and /run of its own, from start to end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .command import CommandError, until
from .engine import Engine

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
PATIENCE = 60  # seconds; it starts in one or two, and much later beside many other tests
NO_NETWORK = ["--bridge", "none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"]


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
        return found.client("version", within=PATIENCE, ok=None).returncode == 0

    found = Engine(folder, until(first, "a first process"), address)
    try:
        until(answers, "dockerd answers", within=PATIENCE)
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
