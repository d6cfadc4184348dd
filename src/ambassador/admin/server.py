"""The admin socket: the whole API for whoever may open it, mode 0600.

It is bound before anything is imported to serve it, so that a second program on the same path is
found out at once.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ambassador.admin.door import Door
from ambassador.control.reconciler import Reconciler
from ambassador.errors import RunError

if TYPE_CHECKING:
    from ambassador.admin.web import Metrics

__all__ = ["AdminServer"]


class AdminServer:
    """Serves one reconciler on one unix socket."""

    def __init__(self, path: Path, reconciler: Reconciler, metrics: Metrics | None = None) -> None:
        self.path = path
        self._reconciler = reconciler
        self._metrics = metrics
        self._door: Door | None = None
        self._inode = 0

    def bind(self, *, replace: bool = False) -> None:
        """Take the path; with `replace`, from whoever has it, so that somebody answers there at
        any moment. Raises RunError when another program answers there, or it cannot be.
        """
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        path = self.path.with_name(f".{self.path.name}.{os.getpid()}") if replace else self.path
        try:
            _remove_stale(path)
            # Between bind and chmod others could connect; the mask leaves no such moment.
            mask = os.umask(0o177)
            try:
                sock.bind(str(path))
            finally:
                os.umask(mask)
            sock.listen(64)
            self._inode = path.stat().st_ino
            if replace:
                path.replace(self.path)
        except OSError as error:
            sock.close()
            raise RunError(f"admin socket {self.path}: {error.strerror or error}") from error
        except RunError:
            sock.close()
            raise
        self._door = Door(sock, self._api, "admin")

    async def start(self) -> None:
        """Begin to answer."""
        if self._door is None:
            raise RuntimeError("bind() comes before start()")
        await self._door.start()

    async def stop(self) -> None:
        """Answer no longer and remove the socket."""
        if self._door is None:
            return
        # While our socket is open nobody else's can have its number; afterwards one may.
        with contextlib.suppress(OSError):  # gone already, or the folder is
            if self.path.stat().st_ino == self._inode:
                self.path.unlink()
        self._inode = 0
        await self._door.stop()

    def _api(self) -> Any:
        from ambassador.admin.web import api  # noqa: PLC0415 (45 ms of imports, in a thread)

        return api(self._reconciler, place="on the admin socket", metrics=self._metrics)


def _remove_stale(path: Path) -> None:
    if not path.is_socket():
        if path.exists():
            raise RunError(f"admin socket {path}: a file that is no socket is there")
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except BlockingIOError:  # its backlog is full (connect(2)): somebody listens
            pass
    raise RunError(f"admin socket {path}: another ambassador answers there")
