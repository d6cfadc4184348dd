"""What the page needs beside the API: its files, and what has changed since its last look."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from ambassador.admin.look import Look, Looks
from ambassador.admin.pieces import in_pieces
from ambassador.admin.plain import from_query
from ambassador.control.reconciler import Reconciler
from ambassador.errors import NotFoundError, Problem

__all__ = ["PREFIX", "is_file", "is_foreign", "page_routes"]

PREFIX = "/page/"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_Answer = Callable[[Request], Awaitable[Response]]


def page_routes(
    reconciler: Reconciler, door: str, safely: Callable[[_Answer], _Answer]
) -> list[Route]:
    """Return the paths of the page: `door` says how a page gets access to the API, `safely` turns
    errors into JSON.
    """
    looks = Looks(reconciler)

    async def look(request: Request) -> Response:
        wanted = from_query(request.query_params.multi_items()[:20], Look)
        return in_pieces(await looks(wanted), "application/json")

    async def file(request: Request) -> Response:
        # imported here: an ambassador without a page saves 3 ms and some kB
        from ambassador.admin.assets import HEADERS, asset  # noqa: PLC0415

        name = request.path_params.get("name", "")
        found = asset(name, door)
        if found is None:
            raise NotFoundError(Problem("path", f"there is no file {name!r} of the page"))
        headers = {**HEADERS, "ETag": found.tag}
        if request.headers.get("If-None-Match") == found.tag:
            return Response(status_code=304, headers=headers)
        return Response(found.body.replace(b"%KEY%", b""), media_type=found.kind, headers=headers)

    return [
        Route("/v1/look", safely(look)),
        Route("/", safely(file)),
        Route(f"{PREFIX}{{name}}", safely(file)),
    ]


def is_file(scope: Scope) -> bool:
    """Return whether the request is for a file of the page, which has nothing secret in it."""
    path: str = scope["path"]
    return scope["method"] in ("GET", "HEAD") and (path == "/" or path.startswith(PREFIX))


def is_foreign(scope: Scope) -> bool:
    """Return whether a browser asks for a page that is not ours: the page has another origin (RFC
    6454), or the Host of the request is no name of this host (DNS rebinding).
    """
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site")
    if origin is None and site is None:
        return False
    host = headers.get(b"host", "")
    if site in ("cross-site", "same-site") and not is_file(scope):
        return True
    if origin is not None and urlsplit(origin).netloc != host:
        return True
    return urlsplit(f"//{host}").hostname not in LOOPBACK
