"""A network namespace for code of this very process: one thread of it is inside.

Sockets belong to the namespace of the thread that makes them, and threads and processes inherit
that of the thread that starts them (network_namespaces(7)), so what `call` runs is alone on a
network of its own, with every port free. The namespace ends with its last thread or process.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["Namespace"]

_CLONE_NEWNET = 0x40000000  # sched.h; os.unshare is of Python 3.12
_T = TypeVar("_T")
_WITHIN = 30.0


class Namespace:
    """Has a loopback interface that is up, and nothing else. `close` leaves it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "namespace")
        self._inside = 0
        try:
            self._inside = self.call(_enter)
        except BaseException:
            self.close()
            raise

    def call(self, function: Callable[..., _T], *arguments: Any, **named: Any) -> _T:
        """Call `function` inside and return what it returns. May be called from inside."""
        if threading.get_ident() == self._inside:
            return function(*arguments, **named)
        return self._thread.submit(function, *arguments, **named).result(_WITHIN)

    def run(
        self,
        main: Coroutine[Any, Any, _T],
        loop_factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.SelectorEventLoop,
    ) -> _T:
        """Run `main` on an event loop inside."""

        def work() -> _T:
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                return runner.run(main)

        return self.call(work)

    def start(self, *command: str, **options: Any) -> subprocess.Popen[Any]:
        """Start a process inside."""
        return self.call(subprocess.Popen, command, **options)

    def join(self, other: Namespace, mine: Sequence[str], theirs: Sequence[str]) -> None:
        """Lay a wire to `other`, with addresses ("10.9.0.1/24") of this end and of that one."""
        tid = str(other.call(threading.get_native_id))
        self.call(_ip, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", tid)
        for net, addresses in ((self, mine), (other, theirs)):
            for address in addresses:
                # IPv6 would look for others with the same address first, for a second
                options = ("nodad",) if ":" in address else ()
                net.call(_ip, "address", "add", address, "dev", "wire", *options)
            net.call(_ip, "link", "set", "wire", "up")

    def swallow(self, address: str) -> None:
        """Let what is sent to `address`, on the other side of the wire, never arrive."""
        nobody = ("lladdr", "02:00:00:00:00:01", "nud", "permanent")
        self.call(_ip, "neighbour", "replace", address, "dev", "wire", *nobody)

    def close(self) -> None:
        self._thread.shutdown()


def _enter() -> int:
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}")
    _ip("link", "set", "lo", "up")
    return threading.get_ident()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, timeout=_WITHIN)
