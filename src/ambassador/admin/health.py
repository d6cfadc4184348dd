"""/healthz and /readyz, as a container's HEALTHCHECK asks for them, without the modules that the
rest of the API needs: these are imported with the first other request (40 ms and 4 MB, in a
thread).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ambassador import log
from ambassador.admin.imports import import_starlette
from ambassador.control.reconciler import Reconciler
from ambassador.core.phase import Phase

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["STOPPING", "UntilAsked", "alive", "ready", "unanswerable"]

_SERVED = (Phase.READY, Phase.LEAVING)
# Headers of a browser: the whole API judges whether its page may ask.
_OF_A_PAGE = frozenset({b"origin", b"sec-fetch-site"})

STOPPING = "this ambassador is stopping and answers no longer; ask again"

_Answer = tuple[str, bool]


def alive(_reconciler: Reconciler) -> _Answer:
    """Return the text of /healthz, and whether it is good."""
    return "ok", True


def ready(reconciler: Reconciler) -> _Answer:
    """Return the text of /readyz, and whether it is good."""
    phase = reconciler.phase
    if phase in _SERVED and reconciler.waits_for:
        return f"waits for endpoints: {reconciler.waits_for}", False
    return str(phase), phase in _SERVED


_PATHS: dict[str, Callable[[Reconciler], _Answer]] = {"/healthz": alive, "/readyz": ready}


class UntilAsked:
    """An ASGI application that calls `build` with the first request and passes all requests on to
    the application that this returns. With `reconciler` it answers /healthz and /readyz itself.
    """

    def __init__(self, build: Callable[[], ASGIApp], reconciler: Reconciler | None = None) -> None:
        self._build = build
        self._reconciler = reconciler
        self._built: ASGIApp | None = None
        self._building = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; see ASGI."""
        answer = _PATHS.get(scope["path"]) if _is_plain(scope) else None
        if answer is not None and self._reconciler is not None:
            text, good = answer(self._reconciler)
            await _send(send, 200 if good else 503, "text/plain; charset=utf-8", f"{text}\n")
            return
        app = self._built
        if app is None:
            try:
                app = await self._application(scope)
            except asyncio.CancelledError:  # the door stops
                await _send(send, 503, "application/json", _told(STOPPING))
                return
            except Exception as error:
                await _send(send, 503, "application/json", unanswerable(error))
                return
        await app(scope, receive, send)

    async def _application(self, scope: Scope) -> ASGIApp:
        unbegun = scope.get("state", {}).get("unbegun", set())
        unbegun.add(task := asyncio.current_task())
        try:
            async with self._building:
                if self._built is None:
                    self._built = await asyncio.to_thread(self._imported)
                return self._built
        finally:
            unbegun.discard(task)

    def _imported(self) -> ASGIApp:
        import_starlette()
        return self._build()


def _is_plain(scope: Scope) -> bool:
    """Return whether this is a GET or HEAD without a query that no browser has sent."""
    return (
        scope["method"] in ("GET", "HEAD")
        and not scope["query_string"]
        and not any(name in _OF_A_PAGE for name, _ in scope["headers"])
    )


def unanswerable(error: Exception) -> str:
    """Log that the modules that answer cannot be imported; return the answer to the client."""
    what = (
        f"what answers here cannot be imported: {type(error).__name__}: {error}; if another "
        "version has been installed, start it: ambassador run --upgrade, which ends no session"
    )
    log.event(log.ERROR, "unanswerable", what, error=str(error))
    return _told(what)


def _told(what: str) -> str:
    import json  # noqa: PLC0415 (only where something is wrong)

    return json.dumps({"kind": "failed", "message": what, "problems": [], "notes": []})


async def _send(send: Send, status: int, kind: str, text: str) -> None:
    body = text.encode()
    headers: Any = [
        (b"content-length", str(len(body)).encode()),
        (b"content-type", kind.encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
