"""What a client reads is what was made, however large; others have their turn meanwhile."""

import asyncio
import itertools
import os
from types import SimpleNamespace

import pytest

from ambassador.admin.pieces import in_pieces
from ambassador.tasks import spawn


async def sent(*body: bytes) -> tuple[list[dict], int]:
    """Return the messages of the answer, and how many turns another task had until the end."""
    messages, turns = [], 0

    async def send(message):
        messages.append(message)

    async def receive():
        await asyncio.Event().wait()

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = spawn(other(), "another")
    scope = {"type": "http", "method": "GET", "asgi": {"spec_version": "2.3"}}
    await in_pieces(body, "application/json")(scope, receive, send)
    task.cancel()
    return messages, turns


@pytest.mark.parametrize("size", [0, 1, 64 << 10, (64 << 10) + 1, 3_000_000])
def test_an_answer_is_whole_and_its_length_is_told(size):
    body = os.urandom(size)
    messages, _ = asyncio.run(sent(body))
    headers = dict(messages[0]["headers"])
    assert int(headers[b"content-length"]) == size
    assert headers[b"content-type"] == b"application/json"
    assert b"".join(one.get("body", b"") for one in messages[1:]) == body


def test_an_answer_of_many_parts_is_whole():
    parts = [os.urandom(size) for size in (0, 10, 100_000, 64 << 10, 1)]
    messages, _ = asyncio.run(sent(*parts))
    assert int(dict(messages[0]["headers"])[b"content-length"]) == sum(map(len, parts))
    assert b"".join(one.get("body", b"") for one in messages[1:]) == b"".join(parts)


def test_others_have_their_turn_while_megabytes_are_sent(monkeypatch):
    clock = SimpleNamespace(monotonic=itertools.count().__next__)  # each step takes a second
    monkeypatch.setattr("ambassador.tasks.time", clock)
    assert asyncio.run(sent(b"?" * 3_000_000))[1] > 30
