"""Large answers, sent a piece at a time: megabytes in one step keep sessions waiting for 10 ms.

Starlette's StreamingResponse is not used, because it imports a task library when it is first used:
this takes some megabytes and 25 ms, during which no session is carried.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ambassador.tasks import Slice, spawn

__all__ = ["Pieces", "in_pieces"]

_PIECE = 64 << 10  # bytes sent in one step


class Pieces(Response):
    """An answer of the media type `kind`, made while it is sent, until the client has gone."""

    def __init__(self, parts: AsyncIterator[bytes], kind: str, length: int | None = None) -> None:
        super().__init__(media_type=kind)
        self._parts = parts
        del self.headers["content-length"]  # of the empty body
        if length is not None:
            self.headers["content-length"] = str(length)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; see ASGI."""
        sending = spawn(self._send(send), "send an answer")
        gone = spawn(_gone(receive), "wait until a client goes")
        try:
            await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            left = [one for one in (sending, gone) if not one.done()]
            for one in left:
                one.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        if sending not in left:
            sending.result()

    async def _send(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        try:
            async for part in self._parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        finally:
            close = getattr(self._parts, "aclose", None)
            if close is not None:
                await close()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def in_pieces(body: Sequence[bytes], kind: str) -> Response:
    """Return an answer with the parts of `body`, of the media type `kind`, with its length."""
    size = sum(map(len, body))
    if size <= _PIECE:
        return Response(b"".join(body), media_type=kind)
    return Pieces(_sent(body), kind, size)


async def _sent(body: Sequence[bytes]) -> AsyncIterator[bytes]:
    piece = Slice()
    for one in _pieces(body):
        yield one
        await piece.end()


def _pieces(body: Sequence[bytes]) -> Iterator[bytes]:
    for part in body:
        for first in range(0, len(part), _PIECE):
            yield part[first : first + _PIECE]
