"""The demonstration's own few lines of the Redis protocol."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from ambassador.demo.resp import ReplyError, ask


@asynccontextmanager
async def answering(*chunks: bytes, end: bool = True):
    """A peer that reads one request and answers with `chunks`; yields its port and the request."""
    heard = []

    async def serve(reader, writer):
        heard.append(await reader.read(4096))
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
        if not end:
            await reader.read()
        writer.close()
        await writer.wait_closed()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield listener.sockets[0].getsockname()[1], heard


def asked(*chunks: bytes, commands: tuple[str, ...] = ("PING",)):
    async def scenario():
        async with answering(*chunks) as (port, heard):
            return await ask(port, *commands), heard

    return asyncio.run(scenario())


def test_a_command_is_an_array_of_bulk_strings():
    _, heard = asked(b"+OK\r\n", commands=("SET clé 1",))
    assert heard == ["*3\r\n$3\r\nSET\r\n$4\r\nclé\r\n$1\r\n1\r\n".encode()]


REPLIES = [
    (b"+PONG\r\n", "PONG"),
    (b":42\r\n", 42),
    (b"$3\r\na\r\n\r\n", "a\r\n"),
    (b"$-1\r\n", None),
    (b"*2\r\n$4\r\nport\r\n*1\r\n:1\r\n", ["port", [1]]),
]


@pytest.mark.parametrize(("wire", "reply"), REPLIES)
def test_a_reply_is_read_whole_and_byte_by_byte(wire, reply):
    assert asked(wire)[0] == [reply]
    assert asked(*(wire[at : at + 1] for at in range(len(wire))))[0] == [reply]


def test_two_commands_have_two_replies():
    assert asked(b"+A\r\n:2\r\n", commands=("X", "Y"))[0] == ["A", 2]


@pytest.mark.parametrize("wire", [b"-READONLY no\r\n", b"HTTP/1.1 400\r\n"])
def test_an_error_and_nonsense_are_reply_errors(wire):
    with pytest.raises(ReplyError, match=r"READONLY no|HTTP"):
        asked(wire)


def test_an_early_end_is_a_lost_connection():
    with pytest.raises(ConnectionError):
        asked(b"$10\r\nabc")


def test_silence_ends_in_time():
    async def scenario():
        async with answering(b"+PO", end=False) as (port, _):
            await ask(port, "PING", within=0.05)

    with pytest.raises(TimeoutError):
        asyncio.run(scenario())
