"""HTTP over the admin socket: GET /healthz, /readyz and /v1/status.

The socket is bound here, mode 0600, before anything is imported to serve it, so that a second
program on the same path is found out at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ambassador import __version__
from ambassador.admin.views import StatusView
from ambassador.errors import RunError
from ambassador.reconciler import Phase, Reconciler
from ambassador.tasks import spawn

if TYPE_CHECKING:
    import uvicorn

__all__ = ["AdminServer"]


class AdminServer:
    """Serves one reconciler on one socket."""

    def __init__(self, path: Path, reconciler: Reconciler) -> None:
        self.path = path
        self._reconciler = reconciler
        self._started = asyncio.get_running_loop().time()
        self._socket: socket.socket | None = None
        self._inode = 0
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def bind(self) -> None:
        """Take the path. Raises RunError when another program answers there, or it cannot be."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            _remove_stale(self.path)
            # Between bind and chmod others could connect; the mask leaves no such moment.
            mask = os.umask(0o177)
            try:
                sock.bind(str(self.path))
            finally:
                os.umask(mask)
            sock.listen(64)
            self._inode = self.path.stat().st_ino
        except OSError as error:
            sock.close()
            raise RunError(f"admin socket {self.path}: {error.strerror or error}") from error
        except RunError:
            sock.close()
            raise
        self._socket = sock

    async def start(self) -> None:
        """Begin to answer."""
        # 45 ms of imports, in a thread, so that the first clients are not kept waiting.
        self._server = await asyncio.to_thread(self._build)
        self._task = spawn(self._server.serve(sockets=[self._bound()]), "admin")

    async def stop(self) -> None:
        """Answer no longer and remove the socket."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = self._server.force_exit = True
            self._stopping.set()
            await self._task
        if self._socket is not None:
            self._socket.close()
            with contextlib.suppress(OSError):  # gone already, or the folder is
                if self.path.stat().st_ino == self._inode:
                    self.path.unlink()

    def _bound(self) -> socket.socket:
        if self._socket is None:
            raise RuntimeError("bind() comes before start()")
        return self._socket

    def _build(self) -> uvicorn.Server:
        import uvicorn  # noqa: PLC0415
        from starlette.applications import Starlette  # noqa: PLC0415
        from starlette.requests import Request  # noqa: PLC0415
        from starlette.responses import JSONResponse, PlainTextResponse, Response  # noqa: PLC0415
        from starlette.routing import Route  # noqa: PLC0415

        async def healthz(_: Request) -> Response:
            return PlainTextResponse("ok\n")

        async def readyz(_: Request) -> Response:
            phase = self._reconciler.phase
            return PlainTextResponse(f"{phase}\n", 200 if phase is Phase.READY else 503)

        async def status(_: Request) -> Response:
            await self._reconciler.measure()
            return JSONResponse(self.status().as_json())

        stopping = self._stopping

        class Server(uvicorn.Server):
            """Without uvicorn's own signals, and asleep where uvicorn looks ten times a second
            whether it is to stop: an idle ambassador uses no CPU.
            """

            @contextlib.contextmanager
            def capture_signals(self) -> Iterator[None]:
                yield

            async def main_loop(self) -> None:
                await stopping.wait()

        routes = [
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/v1/status", status),
        ]
        return Server(
            uvicorn.Config(
                Starlette(routes=routes),
                log_config=None,
                access_log=False,
                date_header=False,  # main_loop would keep it true
                lifespan="off",
                ws="none",
                http="h11",
            )
        )

    def status(self) -> StatusView:
        """Return the state of the program."""
        uptime = asyncio.get_running_loop().time() - self._started
        return StatusView.of(
            self._reconciler.phase, __version__, os.getpid(), uptime, self._reconciler.status()
        )


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
