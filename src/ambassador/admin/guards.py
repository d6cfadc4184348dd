"""Which requests are answered, how many a second, and what the others are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ambassador.admin.bounds import Pace
from ambassador.admin.faults import MANNERS
from ambassador.admin.page import is_file, is_foreign

__all__ = ["RATE", "Guarded", "OfThisHost", "Paced", "Token", "told"]

RATE = 200.0  # requests a second over TCP; a busy monitor asks once a second
# The token, or a function that returns the present one.
Token = str | Callable[[], str]


def told(status: int, detail: str, headers: Any = None) -> JSONResponse:
    """Return the answer to a request that is no command: `detail`, or the meaning of `status`."""
    kind, meaning = MANNERS.get(status, ("path", "there is no such path"))
    if status == 404 or detail in _PHRASES:
        detail = meaning
    view = {"kind": kind, "message": detail, "problems": [], "notes": []}
    return JSONResponse(view, status, headers)


_ALWAYS = ("/healthz", "/readyz")
# Starlette's own texts for these errors; ours say more.
_PHRASES = (
    "Method Not Allowed",
    "Request Timeout",
    "Request Entity Too Large",
    "Content Too Large",
)


class Paced:
    """Answers at most RATE requests a second, and lets others wait. /healthz and /readyz are
    answered at any rate.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._pace = Pace(RATE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; see ASGI."""
        if scope["path"] not in _ALWAYS or scope["query_string"]:
            await self._pace.turn()
        await self._app(scope, receive, send)


class Guarded:
    """Answers only callers with the token; all others get 401."""

    def __init__(self, app: ASGIApp, token: Token) -> None:
        from hmac import compare_digest  # noqa: PLC0415 (OpenSSL; only where there is a token)

        self._app = app
        self._token = token
        self._same = compare_digest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; see ASGI."""
        if is_file(scope):  # the page itself asks its user for the token
            await self._app(scope, receive, send)
            return
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, token = (given[0] if len(given) == 1 else b"").partition(b" ")
        presented = scheme.lower().capitalize() + b" " + token.strip()
        expected = self._token() if callable(self._token) else self._token
        if self._same(presented, f"Bearer {expected}".encode()):
            await self._app(scope, receive, send)
        else:
            headers = {"WWW-Authenticate": "Bearer"}
            await told(401, MANNERS[401][1], headers)(scope, receive, send)


class OfThisHost:
    """Refuses requests that a browser makes for a foreign page, if a port leads to the admin socket
    (ssh -L). Requests of other programs have no Origin header.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; see ASGI."""
        if is_foreign(scope):
            what = "the request comes from a page of another origin; open it at http://localhost or http://127.0.0.1"
            await told(403, what)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
