"""One connection to a member, with a peer that does what it likes."""

import asyncio
import contextlib

import pytest

from ambassador.fleet.connection import AwayError, Connection, Url, words

pytestmark = pytest.mark.asyncio


async def against(answer, use):
    """Return what `use` returns of a connection to a peer that says `answer` and hangs up."""

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        connection = Connection(Url("127.0.0.1", server.sockets[0].getsockname()[1], False))
        await connection.open(None)
        try:
            return await use(connection)
        finally:
            connection.close()


async def asked(connection):
    return await connection.ask("/v3/x", b"{}", {"Authorization": "t"}), connection.usable


async def lines(connection):
    return [line async for line in connection.lines("/v3/watch", b"{}", {})]


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_an_answer_has_a_status_and_a_body_and_the_connection_is_used_again():
    (status, body), usable = await against(OK, asked)
    assert (status, body, usable) == (200, b"yes", True)


async def test_a_connection_that_is_to_be_closed_is_not_used_again():
    closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    (status, _), usable = await against(closing, asked)
    assert (status, usable) == (200, False)


async def test_lines_come_one_by_one_wherever_they_are_broken():
    pieces = b"2\r\na\n\r\n4\r\nbb\nc\r\n2\r\nc\n\r\n1\r\nd\r\n0\r\n\r\n"
    found = await against(CHUNKED + pieces, lines)
    assert found == [(200, b"a"), (200, b"bb"), (200, b"cc"), (200, b"d")]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nyes",
        b"no HTTP at all\r\n\r\n",
        CHUNKED + b"zz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 400000 + b"\r\n",
    ],
)
async def test_what_is_no_answer_is_told_with_the_place(answer):
    with pytest.raises(AwayError, match=r"http://127\.0\.0\.1:\d+: "):
        await against(answer, asked)


async def test_nobody_there_is_told():
    with pytest.raises(AwayError, match="connection refused"):
        await Connection(Url("127.0.0.1", 1, False)).open(None)


async def test_places_are_written_as_urls():
    assert str(Url("::1", 2379, True)) == "https://[::1]:2379"
    assert words(OSError(111, "x")) == "connection refused"
