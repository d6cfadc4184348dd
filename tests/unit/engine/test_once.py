import asyncio

import pytest

from ambassador.engine.once import ask_once, list_once, pid_of
from ambassador.engine.place import Where
from ambassador.errors import EngineError
from ambassador.spec.container import container_of
from tests.fake_engine import entry


def test_what_is_so_now_is_told(play):
    async def story(engine):
        engine.containers = [entry("redis", "127.0.0.2")]
        where = Where(path=str(engine.path))
        (one,) = await asyncio.to_thread(list_once, where)
        assert one.name == "redis"
        wanted = container_of("docker://redis:6379")
        assert (await asyncio.to_thread(ask_once, where, wanted)).found.addresses == ("127.0.0.2",)
        engine.answer = lambda *_: (200, {"State": {"Pid": 17}})
        assert await asyncio.to_thread(pid_of, where, one.id) == 17

    play(story)


def test_a_proxy_that_would_not_let_us_wake_is_told_beforehand(play):
    async def story(engine):
        engine.containers = [entry("redis", "127.0.0.2")]
        engine.answer = lambda method, _: (403, b"no") if method == "POST" else None
        wanted = container_of("docker://redis:6379?wake")
        with pytest.raises(EngineError, match="allow POST"):
            await asyncio.to_thread(ask_once, Where(path=str(engine.path)), wanted)

    play(story)


def test_a_list_that_makes_no_sense_is_told(play):
    async def story(engine):
        engine.containers = {"not": "a list"}
        with pytest.raises(EngineError, match="makes no sense"):
            await asyncio.to_thread(list_once, Where(path=str(engine.path)))

    play(story)
