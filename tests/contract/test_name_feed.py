"""What ports.NameFeed promises, of engines and of SRV records; and ports.Engines."""

from __future__ import annotations

import asyncio

import pytest

from ambassador.app.feeds import Feeds
from ambassador.core.srv import Record, groups
from ambassador.engine.feed import EngineFeed
from ambassador.engine.place import Where
from ambassador.errors import NoSuchNameError
from ambassador.model import Inet
from ambassador.resolve.srv import SrvFeed
from ambassador.settings import Settings
from ambassador.spec import parse_endpoint
from tests.fake_engine import FakeEngine, entry
from tests.names import StaticResolver


class Engine:
    """EngineFeed over an engine of the test."""

    host = "docker://redis:6379"

    def __init__(self, folder, monkeypatch):
        self.engine = FakeEngine(folder / "s")
        self.feed = EngineFeed(
            Where(path=str(folder / "s")), answers=lambda *_: None, sessions=lambda _: None
        )

    async def start(self):
        await self.engine.start()

    async def say(self, *addresses):
        before = self.engine.containers
        self.engine.containers = [entry("redis", one) for one in addresses]
        for one in before or self.engine.containers:
            self.engine.tell("start" if addresses else "destroy", one["Id"])

    async def stop(self):
        await self.engine.stop()


class Srv:
    """SrvFeed over records of the test."""

    host = "srv://_redis._tcp.example.com"

    def __init__(self, folder, monkeypatch):
        self.resolver = StaticResolver(**{"a.example.com": ["127.0.0.2"]})
        self.feed = SrvFeed(self.resolver)
        self.records = ()
        feed = self.feed

        async def ask(_text):
            if not self.records:
                raise NoSuchNameError("there is no such record")
            return groups(Record(0, 0, 6379, name) for name in self.records), 0.02

        monkeypatch.setattr(feed, "_ask", ask)
        monkeypatch.setattr("ambassador.resolve.srv._SHORTEST", 0.02)

    async def start(self):
        pass

    async def say(self, *addresses):
        names = [f"n{one}.example.com" for one in addresses]
        for name, one in zip(names, addresses, strict=True):
            self.resolver.answer(name, one)
        self.records = tuple(names)

    async def stop(self):
        pass


@pytest.fixture(params=[Engine, Srv], ids=["engine", "srv"])
def run(request, tmp_path, monkeypatch):
    def running(test):
        async def whole():
            world = request.param(tmp_path, monkeypatch)
            await world.start()
            try:
                async with asyncio.timeout(20):
                    await test(world)
            finally:
                world.feed.close()
                await world.stop()

        asyncio.run(whole())

    return running


async def until(condition):
    while not condition():
        await asyncio.sleep(0.005)


def bare(addresses):
    return {one.partition("#")[0] for one in addresses}


def test_it_tells_where_a_name_is_and_whenever_that_changes(run):
    async def test(world):
        told = []
        await world.say("127.0.0.2")
        world.feed.follow(world.host, lambda *said: told.append(said))
        await until(lambda: told and bare(told[-1][0]) == {"127.0.0.2"})
        await world.say("127.0.0.3")
        await until(lambda: bare(told[-1][0]) == {"127.0.0.3"})

    run(test)


def test_what_is_nowhere_is_told_with_the_reason_and_as_known(run):
    async def test(world):
        told = []
        world.feed.follow(world.host, lambda *said: told.append(said))
        await until(lambda: told)
        addresses, why, known = told[-1]
        assert (tuple(addresses), known) == ((), True)
        assert why

    run(test)


def test_who_is_told_no_longer_hears_nothing(run):
    async def test(world):
        first, second = [], []
        await world.say("127.0.0.2")
        forget = world.feed.follow(world.host, lambda *said: first.append(said))
        world.feed.follow(world.host, lambda *said: second.append(said))
        await until(lambda: second and second[-1][0])
        forget()
        forget()
        count = len(first)
        await world.say("127.0.0.3")
        await until(lambda: bare(second[-1][0]) == {"127.0.0.3"})
        assert len(first) == count
        world.feed.doubt(world.host)
        assert world.feed.wanted(world.host) == 0.0

    run(test)


def test_engines_tell_what_an_endpoint_means(tmp_path):
    """ports.Engines, as `status` asks it."""

    async def story():
        engine = FakeEngine(tmp_path / "s")
        engine.containers = [entry("redis", "127.0.0.2")]
        await engine.start()
        feeds = Feeds(Settings(docker=f"unix://{engine.path}"), {})
        address = parse_endpoint("docker://redis:6379").address
        assert isinstance(address, Inet)
        assert feeds.view(address.host) == ((), "")
        assert list(await feeds.resolver.resolve(address.host)) == ["127.0.0.2"]
        (view,), problem = feeds.view(address.host)
        assert (view.name, view.addresses, problem) == ("redis", ("127.0.0.2",), "")
        (one,) = feeds.views()
        assert (one.containers, one.error, one.server) == (1, "", "Docker/20 (linux)")
        feeds.close()
        await engine.stop()

    asyncio.run(story())
