"""The staged ambassador: its variables can be changed, its log is seen, and it goes away."""

import asyncio
import io
import logging
import socket

import pytest

from ambassador.app import App, sources
from ambassador.demo.screen import Screen
from ambassador.demo.stage import staged
from ambassador.demo.valkey import free_port
from ambassador.errors import ConfigError, RunError
from ambassador.settings import Settings

SETTINGS = Settings(admin="off", plane="relay")


def stage(stream, variables):
    return staged(
        Screen(stream, colour=False),
        lambda source: App(SETTINGS, [source]),
        lambda variables: sources(SETTINGS, variables, ())[0].read(),
        variables,
    )


def link(port: int, endpoint: str) -> dict[str, str]:
    return {"REDIS_PORT_6379_TCP": endpoint, "REDIS_PORT_6379_TCP_LISTEN": f"127.0.0.1:{port}"}


def test_what_it_logs_is_shown_and_a_change_takes_effect():
    async def scenario():
        stream, port = io.StringIO(), free_port()
        async with stage(stream, link(port, "tcp://127.0.0.1:1")) as ambassador:
            await ambassador.change(link(port, "tcp://127.0.0.1:2"))
            with socket.socket() as sock:
                assert sock.connect_ex(("127.0.0.1", port)) == 0
        with socket.socket() as sock:
            assert sock.connect_ex(("127.0.0.1", port)) != 0
        return stream.getvalue()

    first, second = [line for line in asyncio.run(scenario()).splitlines() if " -> " in line]
    assert "127.0.0.1:1 " in first
    assert "127.0.0.1:2 " in second
    assert logging.getLogger("ambassador").handlers == []


def test_a_change_that_it_refuses_is_an_error():
    async def scenario():
        async with stage(io.StringIO(), link(free_port(), "tcp://127.0.0.1:1")) as ambassador:
            await ambassador.change({"REDIS_PORT_6379_TCP": "nonsense://"})

    with pytest.raises(RunError, match="did not take"):
        asyncio.run(scenario())
    assert logging.getLogger("ambassador").handlers == []


def test_a_start_that_it_refuses_leaves_nothing():
    async def scenario():
        async with stage(io.StringIO(), {"REDIS_PORT_6379_TCP": "nonsense://"}):
            pass

    with pytest.raises(ConfigError):
        asyncio.run(scenario())
    assert logging.getLogger("ambassador").handlers == []


def test_what_an_operator_types_is_shown_with_what_it_says(tmp_path):
    admin = str(tmp_path / "admin.sock")
    settings = Settings(admin=admin, plane="relay")

    async def scenario(stream):
        async with staged(
            Screen(stream, colour=False),
            lambda source: App(settings, [source]),
            lambda variables: sources(settings, variables, ())[0].read(),
            link(free_port(), "tcp://127.0.0.1:1"),
            admin,
        ) as ambassador:
            await ambassador.operator("hold", "redis")
            await ambassador.operator("hold", "redis")

    stream = io.StringIO()
    with pytest.raises(RunError, match="ambassador hold ended with 4"):
        asyncio.run(scenario(stream))
    assert "operator    $ ambassador hold redis" in stream.getvalue()
    assert "operator    redis held" in stream.getvalue()
