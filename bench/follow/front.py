"""Hosts of their own for what stands in front of the set, each on a wire to the one of the set."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.follow.redisset import HOST, until

__all__ = ["Front", "at_home", "fronts"]


class Front:
    """A network namespace; clients dial `address`."""

    def __init__(self, number: int) -> None:
        self.address = f"10.90.{number}.2"
        self._holder = subprocess.Popen(("unshare", "-n", "sleep", "infinity"))
        pid, own = self._holder.pid, Path("/proc/self/ns/net").readlink()
        until(lambda: Path(f"/proc/{pid}/ns/net").readlink() != own, "a network namespace")
        self._near = near = f"front{number}"
        home = f"10.90.{number}.1"
        _run("ip", "link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        _run("ip", "address", "add", f"{home}/24", "dev", near)
        _run("ip", "link", "set", near, "up")
        for words in (
            "ip link set lo up",
            f"ip address add {self.address}/24 dev eth0",
            "ip link set eth0 up",
            f"ip route add default via {home}",
        ):
            _run(*self.inside(*words.split()))
        forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"
        _run(*self.inside("sh", "-c", forward))

    def inside(self, *command: str) -> list[str]:
        """Return what runs `command` there."""
        return ["nsenter", "-t", str(self._holder.pid), "-n", *command]

    def close(self) -> None:
        """End it."""
        _run("ip", "link", "delete", self._near)
        self._holder.kill()
        self._holder.wait()


def at_home() -> None:
    """Give this namespace the address of the set."""
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "address", "add", f"{HOST}/32", "dev", "lo")


@contextmanager
def fronts(number: int) -> Iterator[list[Front]]:
    """Have so many, one beside the other."""
    made: list[Front] = []
    try:
        made.extend(map(Front, range(1, number + 1)))
        yield made
    finally:
        for front in made:
            front.close()


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
