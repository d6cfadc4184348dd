"""A Debian host with systemd as its first process, in namespaces of its own."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

from tests.docker.bed.command import run
from tests.wait import until

__all__ = ["Host"]

# What systemd wants to find in a container: https://systemd.io/CONTAINER_INTERFACE
_BOOT = """
echo $$ >"$2/cgroup.procs"
exec unshare --pid --fork --kill-child --mount --net --uts --ipc --cgroup sh -eu -c '
  mount --bind "$1" "$1"
  mount -t proc proc "$1/proc"
  mount -t sysfs sysfs "$1/sys"
  mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
  mount -t tmpfs -o mode=755 tmpfs "$1/run"
  mount -t tmpfs -o mode=755 tmpfs "$1/dev"
  cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty "$1/dev"
  mkdir "$1/dev/pts" "$1/dev/shm"
  ln -s pts/ptmx "$1/dev/ptmx"
  mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
  ip link set lo up
  cd "$1"
  mkdir old
  pivot_root . old
  umount -l old
  rmdir old
  exec env -i container=other PATH=/usr/sbin:/usr/bin /lib/systemd/systemd --log-target=null
' sh "$1"
"""


class Host:
    """Boots from the files in `tar`, below `folder`; `close` leaves nothing of it."""

    def __init__(self, tar: Path, folder: Path) -> None:
        self.root = folder / "root"
        self.root.mkdir(parents=True)
        self._started: list[subprocess.Popen[str]] = []
        run(["tar", "-xf", str(tar), "-C", str(self.root)], within=120)
        self._cgroup = _unified() / f"ambassador-{uuid4().hex[:8]}"
        self._cgroup.mkdir()
        self._process = subprocess.Popen(
            ["sh", "-eu", "-c", _BOOT, "sh", str(self.root), str(self._cgroup)],
            stdin=subprocess.DEVNULL,
        )
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        self.pid = int(until(lambda: children.read_text().split(), 30, "systemd is started")[0])
        until(self._booted, 60, "the host has booted")

    def _booted(self) -> bool:
        done = self.run("systemctl", "is-system-running", ok=None)
        return done.stdout.strip() in ("running", "degraded")  # it has no kernel modules to load

    def run(self, *command: str, ok: tuple[int, ...] | None = (0,)):
        """Run a command on it as root, and return what it printed."""
        inside = ["nsenter", "--target", str(self.pid), "--all", *command]
        return run(inside, ok=ok, within=60, env={"DEBIAN_FRONTEND": "noninteractive"})

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command on it whose output is read later; it ends with the host."""
        inside = ["nsenter", "--target", str(self.pid), "--all", *command]
        process = subprocess.Popen(inside, stdout=subprocess.PIPE, text=True)
        self._started.append(process)
        return process

    def close(self) -> None:
        """End everything on it, and take its files away."""
        self._process.kill()
        for process in (self._process, *self._started):
            with process:  # waits, and closes what was read
                pass
        for folder in sorted(self._cgroup.rglob("*/"), reverse=True):
            until(lambda folder=folder: _removed(folder), 20, f"{folder} is empty")
        until(lambda: _removed(self._cgroup), 20, f"{self._cgroup} is empty")
        shutil.rmtree(self.root)


def _unified() -> Path:
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    raise AssertionError("no cgroup2 is mounted here: mount -t cgroup2 cgroup2 /sys/fs/cgroup")


def _removed(folder: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        try:
            folder.rmdir()
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise
            return False
    return True
