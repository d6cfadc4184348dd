"""Learn of resets on sockets nobody reads from.

An event loop stops polling a socket once its peer has ended (and before we read at all, while
the upstream is not yet connected), so a reset that comes then would stay unseen until the next
write: perhaps for ever. One epoll set with no requested events reports just EPOLLERR and
EPOLLHUP (epoll_ctl(2): always reported) and is itself one readable descriptor of the loop.

EPOLLHUP alone is no reset: a unix socket has it as soon as its peer has closed, with bytes of
the peer perhaps still to be read. It lasts, so the set is edge-triggered.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
from collections.abc import Callable

__all__ = ["ResetWatch"]


class ResetWatch:
    """Call back once when a watched socket is reset, or fails in another way."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._loop.add_reader(self._epoll.fileno(), self._ready)

    def add(self, fd: int, reset: Callable[[], None]) -> None:
        """Watch `fd`; `remove` it before it is closed."""
        if fd not in self._callbacks:
            self._epoll.register(fd, select.EPOLLET)
        self._callbacks[fd] = reset

    def remove(self, fd: int) -> None:
        """Watch `fd` no longer; it need not be watched."""
        if self._callbacks.pop(fd, None) is not None:
            with contextlib.suppress(OSError):  # a closed descriptor has left the set by itself
                self._epoll.unregister(fd)

    def close(self) -> None:
        """Watch nothing any longer."""
        self._loop.remove_reader(self._epoll.fileno())
        self._callbacks.clear()
        self._epoll.close()

    def _ready(self) -> None:
        for fd, events in self._epoll.poll(0):
            if not events & select.EPOLLERR:
                continue
            callback = self._callbacks.get(fd)
            self.remove(fd)
            if callback is not None:
                callback()
