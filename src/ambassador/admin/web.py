"""The admin API as an ASGI application: the table of operations on top of a reconciler."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from ambassador import __version__, log
from ambassador.admin.bounds import Bounds, Followers, Shared
from ambassador.admin.examples import curl_of, explained, with_example
from ambassador.admin.faults import MANNERS, fault_of, view_of
from ambassador.admin.guards import Guarded, OfThisHost, Paced, Token, told
from ambassador.admin.health import STOPPING, alive, ready
from ambassador.admin.lines import lines_of
from ambassador.admin.operations import ASKED, OPERATIONS, Events, Operation
from ambassador.admin.page import page_routes
from ambassador.admin.pieces import Pieces, in_pieces
from ambassador.admin.plain import decode, encode, from_query, parse_json
from ambassador.admin.token import shell_word
from ambassador.control import execute as _execute_later  # noqa: F401 (in a thread, here)
from ambassador.control.reconciler import Reconciler
from ambassador.core.phase import Phase
from ambassador.core.working import not_working
from ambassador.errors import AmbassadorError, ConfigError, RunError
from ambassador.ports import MetricsPage

__all__ = ["BODY_LIMIT", "BODY_TIME", "Onward", "Token", "api", "monitor"]

# Room for 2,000 assignments to `add`; larger ones are a slip or an attack.
BODY_LIMIT = 256 << 10
_PARAMETERS = 20  # of a query; commands have at most three
BODY_TIME = 10.0  # seconds; a body comes from this host or from one nearby
# So many bytes of a body that is too large are read and dropped: if we closed earlier, our reset
# could reach the client before our answer does (RFC 9112 section 9.6).
_DROPPED = 8 << 20

# Asks the successor for a path with its query; returns status, type and body. Raises RunError.
Onward = Callable[[str], Awaitable[tuple[int, str, bytes]]]
_Answer = Callable[[Request], Awaitable[Response]]


def api(
    reconciler: Reconciler,
    *,
    place: str,
    token: Token = "",
    metrics: MetricsPage | None = None,
    onward: Onward | None = None,
) -> ASGIApp:
    """Return the whole API. With `token`, a caller without it is refused (RFC 6750); `place` is
    shown in `status` as the place a change came from; `onward` asks the process that has taken over
    the routes.
    """
    pages: list[dict[str, Any]] = []

    async def openapi(_: Request) -> Response:
        if not pages:  # made with the first request: it takes memory from then on
            from ambassador.admin.openapi import document  # noqa: PLC0415

            pages.append(document(__version__, token=bool(token), metrics=metrics is not None))
        return JSONResponse(pages[0])

    done = partial(_execute, reconciler, (place, shell_word(token)), Bounds())
    routes = [
        Route(
            row.path, _safely(_of_now(reconciler, onward, partial(done, row))), methods=[row.method]
        )
        for row in OPERATIONS
    ]
    routes.append(Route("/v1/events", _safely(partial(_events, reconciler, Followers()))))
    routes.append(Route("/openapi.json", openapi))
    routes += page_routes(
        reconciler,
        "token" if token else "open",
        lambda it: _safely(_of_now(reconciler, onward, it)),
    )
    app = _application([*routes, *_monitoring(reconciler, metrics, onward)])
    return Paced(Guarded(app, token)) if token else OfThisHost(app)


def monitor(
    reconciler: Reconciler, metrics: MetricsPage | None = None, onward: Onward | None = None
) -> ASGIApp:
    """Return what anybody may ask for: /healthz, /readyz, and /metrics if there are metrics."""
    return Paced(_application(_monitoring(reconciler, metrics, onward)))


def _application(routes: list[Route]) -> ASGIApp:
    """Return what Starlette's own application does, without its error page for developers, which
    takes 0.4 MB.
    """
    router = Router(routes=routes, redirect_slashes=False)
    app = ExceptionMiddleware(router, {HTTPException: _refused})

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = answering  # so that the router raises errors, which `_refused` answers
        await app(scope, receive, send)

    return answering


def _monitoring(
    reconciler: Reconciler, metrics: MetricsPage | None, onward: Onward | None
) -> list[Route]:
    async def healthz(_: Request) -> Response:
        return _said(alive(reconciler))

    async def readyz(request: Request) -> Response:
        text, good = ready(reconciler)
        if good and "endpoints" in request.query_params:
            lost = not_working(await reconciler.look())
            text, good = (lost, False) if lost else (text, good)
        return _said((text, good))

    routes = [Route("/healthz", healthz), Route("/readyz", readyz)]
    if metrics is not None:
        scrapes = Shared(partial(_numbers, reconciler, metrics))

        async def numbers(_: Request) -> Response:
            return in_pieces(await scrapes(), "text/plain; version=0.0.4")

        routes.append(Route("/metrics", _safely(_of_now(reconciler, onward, numbers))))
    return routes


def _said(answer: tuple[str, bool]) -> Response:
    text, good = answer
    return PlainTextResponse(f"{text}\n", 200 if good else 503)


async def _numbers(reconciler: Reconciler, metrics: MetricsPage) -> Sequence[bytes]:
    await reconciler.measure()
    return await metrics()


async def _execute(
    reconciler: Reconciler, here: tuple[str, str], bounds: Bounds, row: Operation, request: Request
) -> Response:
    place, token = here
    curl = curl_of(request.scope.get("server"), str(request.base_url), token)
    if row.method == "POST" and bounds.full:
        return told(429, MANNERS[429][1])
    if row.method == "GET":
        with with_example(row, curl, reconciler.routes):
            command = from_query(_query(request), row.command)
    else:
        if request.url.query:
            raise HTTPException(400, "the fields of a command are in the body, not in a query")
        body = await _body(request)
        try:
            # in a thread: a wrong body of 256 KiB takes longer than sessions may wait
            with with_example(row, curl, reconciler.routes):
                value = await asyncio.to_thread(parse_json, body) if body else {}
        except ConfigError as error:
            return told(400, str(error))
        with with_example(row, curl, reconciler.routes):
            command = await asyncio.to_thread(decode, value, row.command)
    who = f"{request.client.host if request.client else 'somebody'} {place}"
    with bounds:
        gone, since = request.state.gone, _since(request)
        async with explained(command, reconciler):
            result = await reconciler.execute(command, who=who, since=since, gone=gone)
        # in a thread: for 5,000 routes it is megabytes, and sessions must not wait for that
        text = await asyncio.to_thread(lambda: encode(result).encode())
    return in_pieces([text], "application/json")


def _since(request: Request) -> float | None:
    """Return when the command was given, as its caller says; None if the caller does not say."""
    text = request.headers.get(ASKED, "")
    if not text:
        return None
    try:
        since = float(text)
    except ValueError:
        since = math.nan
    if not math.isfinite(since):
        raise HTTPException(400, f"the header {ASKED} has seconds since 1970: {ASKED}: 1790000000")
    return since


def _query(request: Request) -> list[tuple[str, str]]:
    if request.url.query.count("&") >= _PARAMETERS:
        raise HTTPException(400, f"a query has at most {_PARAMETERS} parameters")
    return request.query_params.multi_items()


async def _events(reconciler: Reconciler, followers: Followers, request: Request) -> Response:
    wanted = from_query(_query(request), Events)
    lines = lines_of(reconciler, wanted)
    if wanted.follow:
        if followers.full:
            raise HTTPException(429, "too many follow the events; try again later")
        lines = followers.counted(lines)
    return Pieces(lines, "application/x-ndjson")


async def _body(request: Request) -> bytes:
    """Return the body, which is JSON, not large and not slow. Raises HTTPException."""
    parts: list[bytes] = []
    length = 0
    try:
        async with asyncio.timeout(BODY_TIME):
            async for part in request.stream():
                length += len(part)
                if length <= BODY_LIMIT:
                    parts.append(part)
                elif length > _DROPPED:
                    break
    except TimeoutError:
        raise HTTPException(408, headers={"connection": "close"}) from None
    except ClientDisconnect:
        raise HTTPException(400, "the body breaks off", {"connection": "close"}) from None
    if length > BODY_LIMIT:
        raise HTTPException(413, headers={"connection": "close"})
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if parts != [b""] and length and kind != "application/json":
        raise HTTPException(415, "give the header Content-Type: application/json")
    return b"".join(parts)


def _safely(answer: _Answer) -> _Answer:
    """Return `answer` with every error as JSON; an unexpected error is logged as a bug, too."""

    async def answering(request: Request) -> Response:
        task = asyncio.current_task()
        reads: set[asyncio.Task[Any]] = getattr(request.state, "reads", set())
        if task is not None and request.method in ("GET", "HEAD"):
            reads.add(task)
        try:
            return await answer(request)
        except asyncio.CancelledError:  # the door stops, or the loop ends
            ending = RunError(STOPPING)
            return Response(_told_of(ending), 503, media_type="application/json")
        except AmbassadorError as error:
            # in a thread: it may have thousands of problems
            text = await asyncio.to_thread(_told_of, error)
            return Response(text, fault_of(error).status, media_type="application/json")
        except HTTPException:
            raise
        except ClientDisconnect:  # before the end of its body: no client reads the answer
            return Response(status_code=400)
        except Exception as error:
            what = f"{request.method} {request.url.path}: {type(error).__name__}"
            log.event(log.ERROR, "bug", f"a bug in the admin API: {what}", traced=_traced(error))
            return told(500, MANNERS[500][1])
        finally:
            if task is not None:
                reads.discard(task)

    return answering


def _of_now(reconciler: Reconciler, onward: Onward | None, answer: _Answer) -> _Answer:
    """Return `answer`; if another process takes over before a GET is answered, the request is sent
    on to that process: what is known here may no longer be true.
    """

    async def answering(request: Request) -> Response:
        response = None
        try:
            if reconciler.phase is not Phase.LEAVING:
                response = await answer(request)
        except asyncio.CancelledError:  # the door drains: the other process may answer instead
            task = asyncio.current_task()
            if reconciler.phase is not Phase.LEAVING or onward is None or task is None:
                raise
            task.uncancel()
        asks = request.method in ("GET", "HEAD")
        if reconciler.phase is Phase.LEAVING and asks and onward is not None:
            getattr(request.state, "reads", set()).discard(asyncio.current_task())
            query = f"?{request.url.query}" if request.url.query else ""
            status, kind, body = await onward(request.url.path + query)
            return Response(body, status, headers={"Content-Type": kind})
        return response or await answer(request)

    return answering


def _told_of(error: AmbassadorError) -> str:
    return encode(view_of(error))


def _traced(error: BaseException) -> str:
    import traceback  # noqa: PLC0415 (only where there is a bug)

    return "".join(traceback.format_exception(error))


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = error.detail
    return told(error.status_code, detail, error.headers)
