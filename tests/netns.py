"""Network namespaces for tests: plain sockets of one process, each in the namespace it was made
in; processes in a namespace; everything gone in the end.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

__all__ = ["Namespace", "Network"]

_T = TypeVar("_T")
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
PATIENCE = 20.0


class Namespace:
    """One network namespace, by a name that carries the number of this process."""

    def __init__(self, word: str) -> None:
        self.name = f"amb-{os.getpid()}-{word}"
        self._processes: list[subprocess.Popen[bytes]] = []
        _run("ip", "netns", "add", self.name)
        self.path = Path("/run/netns", self.name)
        _run("ip", "-n", self.name, "link", "set", "lo", "up")

    def enter(self) -> None:
        """Move the calling thread, and what it starts, into this namespace (setns(2))."""
        with self.path.open() as file:
            if _libc.setns(file.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")

    def call(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Return what `function` returns when a thread inside calls it."""
        result: list[_T] = []
        failure: list[BaseException] = []

        def inside() -> None:
            try:
                self.enter()
                result.append(function(*arguments))
            except BaseException as error:
                failure.append(error)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if failure:
            raise failure[0]
        return result[0]

    def socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """Return a socket of this namespace."""
        sock = self.call(socket.socket, family, kind)
        sock.settimeout(PATIENCE)
        return sock

    def run(self, *command: str, stdin: str = "") -> str:
        """Run a command inside to its end and return what it prints. Fails when it fails."""
        return _run("nsenter", f"--net={self.path}", *command, stdin=stdin)

    def start(self, *command: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start a process inside; it is killed in the end if it still runs."""
        whole = ("nsenter", f"--net={self.path}", *command)
        process = subprocess.Popen(whole, **options)
        self._processes.append(process)
        return process

    def sysctl(self, **values: object) -> None:
        """Set /proc/sys values of this namespace; `__` stands for a dot."""
        for key, value in values.items():
            path = Path("/proc/sys", *key.split("__"))
            self.call(path.write_text, str(value))

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        _run("ip", "netns", "delete", self.name)


class Network:
    """A host with a bridge, namespaces on it, and one behind a routed hop.

    client      10.77.0.3   fd77::3    a consumer
    ambassador  10.77.0.2   fd77::2
    old, new    10.77.0.4   .5         endpoints
    host        10.77.0.1   fd77::1    the bridge and the router
    far         10.78.0.2   fd78::2    another host
    """

    BRIDGED: ClassVar = {"ambassador": 2, "client": 3, "old": 4, "new": 5}

    def __init__(self) -> None:
        self._made: dict[str, Namespace] = {}
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def __getattr__(self, word: str) -> Namespace:
        try:
            return self._made[word]
        except KeyError:
            raise AttributeError(word) from None

    def _build(self) -> None:
        for word in ("host", "far", *self.BRIDGED):
            self._made[word] = Namespace(word)
        host = self.host.name
        lines = [
            "link add br0 type bridge mcast_snooping 0",
            *_up("br0", "10.77.0.1/24", "fd77::1/64"),
        ]
        for word in self.BRIDGED:
            inside = self._made[word].name
            lines.append(f"link add {word} type veth peer name eth0 netns {inside}")
            lines += [f"link set {word} master br0", f"link set {word} up"]
        lines.append(f"link add far type veth peer name eth0 netns {self.far.name}")
        lines += _up("far", "10.78.0.1/24", "fd78::1/64")
        _batch(host, lines)
        for word, number in self.BRIDGED.items():
            inside = _up("eth0", f"10.77.0.{number}/24", f"fd77::{number}/64")
            _batch(self._made[word].name, [*inside, *_default("10.77.0.1", "fd77::1")])
        _batch(
            self.far.name,
            [*_up("eth0", "10.78.0.2/24", "fd78::2/64"), *_default("10.78.0.1", "fd78::1")],
        )
        for word in ("host", "ambassador"):
            self._made[word].sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)

    def address(self, word: str, family: int = socket.AF_INET) -> str:
        """Return the address of a namespace of this network."""
        prefix, number = "77", self.BRIDGED.get(word, 1)
        if word == "far":
            prefix, number = "78", 2
        return f"fd{prefix}::{number}" if family == socket.AF_INET6 else f"10.{prefix}.0.{number}"

    def close(self) -> None:
        for namespace in self._made.values():
            namespace.close()
        self._made.clear()


def _up(device: str, *addresses: str) -> list[str]:
    adding = [
        f"addr add {address} dev {device}" + (" nodad" if ":" in address else "")
        for address in addresses
    ]
    return [*adding, f"link set {device} up"]


def _default(*gateways: str) -> list[str]:
    return [f"route add default via {gateway}" for gateway in gateways]


def _batch(namespace: str, lines: Sequence[str]) -> None:
    _run("ip", "-n", namespace, "-batch", "-", stdin="\n".join(lines))


def _run(*command: str, stdin: str = "") -> str:
    done = subprocess.run(
        command, check=False, input=stdin, capture_output=True, text=True, timeout=PATIENCE
    )
    assert not done.returncode, f"{' '.join(command)}: {done.stderr or done.stdout}"
    return done.stdout
