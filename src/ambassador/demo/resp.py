"""The part of the Redis protocol that the demonstration uses.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/ (RESP2).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

__all__ = ["Reply", "ReplyError", "Say", "ask", "connected"]

Reply = str | int | None | list["Reply"]
Say = Callable[..., Awaitable[list[Reply]]]


class ReplyError(Exception):
    """The service answered with an error, or with something that is not RESP."""


async def ask(port: int, *commands: str, within: float = 5.0) -> list[Reply]:
    """Connect to `port` of 127.0.0.1, send `commands`, return their replies, disconnect.

    Raises OSError when there is no connection or it ends early, TimeoutError after `within`
    seconds, and ReplyError for a reply that is an error.
    """
    async with connected(port, within) as say:
        return await say(*commands)


@asynccontextmanager
async def connected(port: int, within: float = 5.0) -> AsyncIterator[Say]:
    """Connect to `port` of 127.0.0.1, and yield a function that sends commands and returns their
    replies.

    The whole block takes `within` seconds at most, and raises what `ask` does.
    """
    async with asyncio.timeout(within):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def say(*commands: str) -> list[Reply]:
            writer.write(b"".join(_request(command) for command in commands))
            return [await _reply(reader) for _ in commands]

        try:
            yield say
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("the connection ended before the reply") from error
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def _request(command: str) -> bytes:
    words = command.split(" ")
    parts = [f"*{len(words)}\r\n", *(f"${len(word.encode())}\r\n{word}\r\n" for word in words)]
    return "".join(parts).encode()


async def _reply(reader: asyncio.StreamReader) -> Reply:
    line = (await reader.readuntil(b"\r\n"))[:-2].decode()
    kind, rest = line[:1], line[1:]
    if kind == "+":
        return rest
    if kind == ":":
        return int(rest)
    if kind == "$":
        size = int(rest)
        return None if size < 0 else (await reader.readexactly(size + 2))[:-2].decode()
    if kind == "*":
        return [await _reply(reader) for _ in range(int(rest))]
    raise ReplyError(rest if kind == "-" else line)
