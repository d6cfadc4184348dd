"""The admin socket: the whole API for every process that may open it, mode 0600.

It is bound before the modules that serve it are imported, so that a second program on the same path
is found out at once.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ambassador.admin.door import Door
from ambassador.admin.health import UntilAsked
from ambassador.control.reconciler import Reconciler
from ambassador.errors import RunError
from ambassador.sockets.unix import PathSocket, is_replaced, listen, take_place

if TYPE_CHECKING:
    from ambassador.admin.web import Onward
    from ambassador.ports import MetricsPage

__all__ = ["AdminServer"]

# A client of a unix socket is refused at once where the backlog is full (EAGAIN, connect(2)).
_BACKLOG = 1024


class AdminServer:
    """Serves one reconciler on one unix socket."""

    def __init__(
        self,
        path: Path,
        reconciler: Reconciler,
        metrics: MetricsPage | None = None,
        onward: Onward | None = None,
    ) -> None:
        self.path = path
        self._reconciler = reconciler
        self._metrics = metrics
        self._onward = onward
        self._door: Door | None = None
        self._sock: PathSocket | None = None

    def bind(self, *, replace: bool = False) -> None:
        """Bind the path; with `replace`, only prepare to take it from the process that has it,
        which `take_place` does later. Raises RunError when another program answers there, or when
        the path cannot be bound.
        """
        try:
            sock = listen(self.path, _BACKLOG, private=True, replace=replace, later=replace)
        except OSError as error:
            why = error.strerror or error
            if error.errno == errno.EADDRINUSE:
                why = "another ambassador answers there"
            raise RunError(f"admin socket {self.path}: {why}") from error
        self._sock = sock
        self._door = Door(sock, self._api, "admin")

    def take_place(self) -> None:
        """Take the path; at every moment one of the two processes answers there. Raises OSError."""
        if self._sock is not None:
            take_place(self._sock)

    @property
    def replaced(self) -> bool:
        """Whether another process has taken the path."""
        return self._sock is None or is_replaced(self._sock)

    async def start(self) -> None:
        """Begin to answer."""
        if self._door is None:
            raise RuntimeError("bind() comes before start()")
        await self._door.start()

    async def drain(self, seconds: float) -> None:
        """Answer the requests that have come here; see Door."""
        if self._door is not None:
            await self._door.drain(seconds)

    async def stop(self) -> None:
        """Stop answering and remove the socket."""
        if self._door is None:
            return
        await self._door.stop()

    def _api(self) -> Any:
        def build() -> Any:
            from ambassador.admin.web import api  # noqa: PLC0415 (45 ms of imports, in a thread)

            return api(
                self._reconciler,
                place="on the admin socket",
                metrics=self._metrics,
                onward=self._onward,
            )

        return UntilAsked(build, self._reconciler)
