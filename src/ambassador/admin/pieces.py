"""Large answers, a piece at a time: megabytes in one step keep sessions waiting for 10 ms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

__all__ = ["in_pieces"]

_PIECE = 64 << 10  # bytes that go in one step


def in_pieces(body: bytes, kind: str) -> Response:
    """Return the answer `body` of the media type `kind`; its length is told beforehand."""
    if len(body) <= _PIECE:
        return Response(body, media_type=kind)
    length = {"Content-Length": str(len(body))}
    return StreamingResponse(_pieces(body), media_type=kind, headers=length)


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for first in range(0, len(body), _PIECE):
        yield body[first : first + _PIECE]
        await asyncio.sleep(0)
