"""Ask getaddrinfo(3), for names that only nsswitch.conf(5) knows: mDNS, the host's own name.

libc may take many seconds and cannot be interrupted. So it runs in threads of our own, for which
the end of the program does not wait; it would wait for those of the loop's executor.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import threading
from collections.abc import Callable

from ambassador.errors import ResolveError
from ambassador.resolve.answer import Answer

__all__ = ["Libc", "ask_system"]

_TTL = 5.0  # getaddrinfo returns none
_THREADS = 16  # that may wait in libc at the same time


class Libc:
    """Threads that ask, each for one name after the other; they are started when there is work.

    Starting a thread takes until it has run for the first time, 5 ms and more where other threads
    work: too long for each of a thousand names.
    """

    def __init__(self, most: int = _THREADS) -> None:
        self._most = most
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = self._busy = 0

    def do(self, work: Callable[[], None]) -> None:
        """Have `work` done. Raises RuntimeError where there is no thread and none can be
        started.
        """
        with self._lock:
            self._busy += 1
            more = self._busy > self._threads and self._threads < self._most
            self._threads += more
        if more:
            try:
                threading.Thread(target=self._run, name="getaddrinfo", daemon=True).start()
            except RuntimeError:  # can't start new thread
                with self._lock:
                    self._threads -= 1
                    if not self._threads:
                        self._busy -= 1
                        raise
        self._work.put(work)

    def _run(self) -> None:
        while True:
            work = self._work.get()
            work()
            with self._lock:
                self._busy -= 1


_libc = Libc()


async def ask_system(name: str, why: str, libc: Libc = _libc) -> Answer:
    """Return what libc knows of `name`. Raises ResolveError; `why` says why DNS had no answer."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def tell(addresses: list[str]) -> None:
        if not found.done():
            found.set_result(addresses)

    def ask() -> None:
        try:
            entries = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            entries = []
        with contextlib.suppress(RuntimeError):  # the loop is closed: nothing waits any more
            loop.call_soon_threadsafe(tell, [str(entry[4][0]) for entry in entries])

    try:
        libc.do(ask)
    except RuntimeError as error:
        raise ResolveError(f"{name} has no address: {why}, and {error}") from error
    addresses = await found
    if not addresses:
        raise ResolveError(f"{name} has no address: {why}")
    return Answer.of(addresses, _TTL)
