"""Network namespaces for tests: plain sockets of one process, each in the namespace it was made
in; processes in a namespace; everything gone in the end.

Sockets belong to the namespace of the thread that makes them, and threads and processes inherit
that of the thread that starts them (network_namespaces(7)).
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

__all__ = ["Namespace", "Network"]

_T = TypeVar("_T")
_CLONE_NEWNET = 0x40000000  # sched.h; os.unshare and os.setns are of Python 3.12
_libc = ctypes.CDLL(None, use_errno=True)
PATIENCE = 20.0


class Namespace:
    """One network namespace with a loopback interface that is up. It has no name: it ends when
    nothing has it open any more, also when the tests are killed.
    """

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[Any]] = []
        self._descriptor = _in_a_thread(_new_namespace)
        self.path = Path(f"/proc/{os.getpid()}/fd/{self._descriptor}")
        self.run("ip", "link", "set", "lo", "up")

    def enter(self) -> None:
        """Move the calling thread, and what it starts, into this namespace (setns(2))."""
        _check(_libc.setns(self._descriptor, _CLONE_NEWNET), "setns")

    def call(self, function: Callable[..., _T], *arguments: Any, **named: Any) -> _T:
        """Return what `function` returns when a thread inside calls it."""

        def inside() -> _T:
            self.enter()
            return function(*arguments, **named)

        return _in_a_thread(inside)

    def run_loop(
        self,
        main: Coroutine[Any, Any, _T],
        loop_factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.SelectorEventLoop,
    ) -> _T:
        """Run `main` on an event loop inside."""

        def work() -> _T:
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                return runner.run(main)

        return self.call(work)

    def socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """Return a socket of this namespace."""
        sock = self.call(socket.socket, family, kind)
        sock.settimeout(PATIENCE)
        return sock

    def run(self, *command: str, stdin: str = "") -> str:
        """Run a command inside to its end and return what it prints. Fails when it fails."""
        return self.call(_run, *command, stdin=stdin)

    def start(self, *command: str, **options: Any) -> subprocess.Popen[Any]:
        """Start a process inside; it is killed in the end if it still runs."""
        process = self.call(subprocess.Popen, command, **options)
        self._processes.append(process)
        return process

    def sysctl(self, **values: object) -> None:
        """Set /proc/sys values of this namespace; `__` stands for a dot."""
        for key, value in values.items():
            path = Path("/proc/sys", *key.split("__"))
            self.call(path.write_text, str(value))

    def join(self, other: Namespace, mine: Sequence[str], theirs: Sequence[str]) -> None:
        """Lay a wire to `other`, with addresses ("10.9.0.1/24") of this end and of that one."""
        ends = ("peer", "name", "wire", "netns", str(other.path))
        self.run("ip", "link", "add", "wire", "type", "veth", *ends)
        for net, addresses in ((self, mine), (other, theirs)):
            net.run("ip", "-batch", "-", stdin="\n".join(_up("wire", *addresses)))

    def swallow(self, address: str) -> None:
        """Let what is sent to `address`, on the other side of the wire, never arrive."""
        nobody = ("lladdr", "02:00:00:00:00:01", "nud", "permanent")
        self.run("ip", "neighbour", "replace", address, "dev", "wire", *nobody)

    def close(self) -> None:
        """End what was started inside, and the namespace with it."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        self._processes.clear()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


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
            self._made[word] = Namespace()
        lines = [
            "link add br0 type bridge mcast_snooping 0",
            *_up("br0", "10.77.0.1/24", "fd77::1/64"),
        ]
        for word in self.BRIDGED:
            inside = self._made[word].path
            lines.append(f"link add {word} type veth peer name eth0 netns {inside}")
            lines += [f"link set {word} master br0", f"link set {word} up"]
        lines.append(f"link add far type veth peer name eth0 netns {self.far.path}")
        lines += _up("far", "10.78.0.1/24", "fd78::1/64")
        _batch(self.host, lines)
        for word, number in self.BRIDGED.items():
            inside = _up("eth0", f"10.77.0.{number}/24", f"fd77::{number}/64")
            _batch(self._made[word], [*inside, *_default("10.77.0.1", "fd77::1")])
        _batch(
            self.far,
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


def _batch(namespace: Namespace, lines: Sequence[str]) -> None:
    namespace.run("ip", "-batch", "-", stdin="\n".join(lines))


def _run(*command: str, stdin: str = "") -> str:
    done = subprocess.run(
        command, check=False, input=stdin, capture_output=True, text=True, timeout=PATIENCE
    )
    assert not done.returncode, f"{' '.join(command)}: {done.stderr or done.stdout}"
    return done.stdout


def _new_namespace() -> int:
    """Return a descriptor of a new namespace, which the calling thread is in."""
    _check(_libc.unshare(_CLONE_NEWNET), "unshare")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _check(result: int, call: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def _in_a_thread(function: Callable[[], _T]) -> _T:
    """Return what `function` returns, and raise what it raises, in a thread of its own."""
    result: list[_T] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            result.append(function())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]
