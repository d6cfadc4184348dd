import asyncio

import pytest

from ambassador.engine import labels as module
from ambassador.engine.feed import EngineFeed
from ambassador.engine.labels import LabelsSource
from ambassador.engine.place import Where
from ambassador.errors import ConfigError
from tests.fake_engine import entry

from .conftest import until


def labelled(name, **more):
    return entry(name, "127.0.0.2", Labels={"ambassador.listen": "6379"}, **more)


def names(source):
    return [route.name for route in source.read().routes]


def test_a_route_outlives_its_container_for_a_while(play, monkeypatch):
    monkeypatch.setattr(module, "_OUTLIVES", 0.5)

    async def story(engine):
        redis = labelled("redis")
        engine.containers = [redis]
        source, changes = LabelsSource("", {}), []
        feed = EngineFeed(Where(path=str(engine.path)), answers=None, sessions=None)
        source.attach(feed)
        assert names(source) == []  # the engine has not answered yet
        feed.seen = source.watch(lambda: changes.append(names(source)))
        feed.follower.start()
        await until(lambda: changes == [["redis"]] and engine.streams)
        engine.containers = []
        engine.tell("destroy", redis["Id"])
        await until(lambda: not feed.follower.containers)
        assert names(source) == ["redis"]
        await until(lambda: changes[-1] == [])
        feed.close()

    play(story)


def test_one_that_is_recreated_changes_nothing(play):
    async def story(engine):
        engine.containers = [labelled("redis")]
        source, changes = LabelsSource("", {}), []
        feed = EngineFeed(Where(path=str(engine.path)), answers=None, sessions=None)
        source.attach(feed)
        feed.seen = source.watch(lambda: changes.append(names(source)))
        feed.follower.start()
        await until(lambda: changes and engine.streams)
        engine.containers = []
        engine.tell("destroy", labelled("redis")["Id"])
        await until(lambda: not feed.follower.containers)
        engine.containers = [labelled("redis", id_="9" * 64)]
        engine.tell("start", "9" * 64)
        await until(lambda: feed.follower.containers)
        await asyncio.sleep(0.05)
        assert changes == [["redis"]]
        feed.close()

    play(story)


def test_before_it_follows_the_engine_is_asked_for_the_moment(play):
    async def story(engine):
        engine.containers = [labelled("redis"), labelled("other")]
        source = LabelsSource(f"unix://{engine.path}", {})
        snapshot = await asyncio.to_thread(source.read)
        assert [route.name for route in snapshot.routes] == ["other"]
        assert snapshot.notes == (
            "container redis: wants :6379, which container other has already",
        )
        assert snapshot.yields

    play(story)


def test_an_engine_that_is_not_there_is_an_error_before_the_start(tmp_path):
    with pytest.raises(ConfigError, match=r"labels cannot be read: .*no such socket"):
        LabelsSource(f"unix://{tmp_path}/none", {}).read()
