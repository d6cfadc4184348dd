"""Large answers, a piece at a time: megabytes in one step keep sessions waiting for 10 ms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

from starlette.responses import Response, StreamingResponse

from ambassador.tasks import Slice

__all__ = ["in_pieces"]

_PIECE = 64 << 10  # bytes that go in one step


def in_pieces(body: Sequence[bytes], kind: str) -> Response:
    """Return the answer of the parts of `body`, of the media type `kind`; its length is told
    beforehand.
    """
    size = sum(map(len, body))
    if size <= _PIECE:
        return Response(b"".join(body), media_type=kind)
    length = {"Content-Length": str(size)}
    return StreamingResponse(_sent(body), media_type=kind, headers=length)


async def _sent(body: Sequence[bytes]) -> AsyncIterator[bytes]:
    piece = Slice()
    for one in _pieces(body):
        yield one
        await piece.end()


def _pieces(body: Sequence[bytes]) -> Iterator[bytes]:
    for part in body:
        for first in range(0, len(part), _PIECE):
            yield part[first : first + _PIECE]
