import asyncio
import time

from ambassador.engine.follower import Follower, list_path
from ambassador.engine.http import EngineHttp
from ambassador.engine.place import Where
from tests.fake_engine import entry

from .conftest import until


def follower(engine, changed=lambda: None):
    one = Follower(EngineHttp(Where(path=str(engine.path))), changed)
    one.start()
    return one


def addresses(one):
    return [n.ipv4 for c in one.containers for n in c.networks if c.state == "running"]


def test_a_death_is_known_at_once_and_the_next_address_when_it_starts(play):
    async def story(engine):
        redis = entry("redis", "10.0.0.2")
        engine.containers = [redis]
        one = follower(engine)
        await until(lambda: addresses(one) == ["10.0.0.2"] and engine.streams)
        engine.tell("die", redis["Id"])
        await until(lambda: addresses(one) == [])
        engine.containers = [entry("redis", "10.0.0.3")]
        engine.tell("start", redis["Id"])
        await until(lambda: addresses(one) == ["10.0.0.3"])
        assert ("GET", list_path({redis["Id"]})) in engine.asked
        one.close()

    play(story)


def test_a_stream_that_is_cut_is_begun_anew_without_a_word(play, caplog):
    async def story(engine):
        engine.containers = [entry("redis", "10.0.0.2")]
        one = follower(engine)
        await until(lambda: engine.streams == 1)
        engine.cut()
        engine.containers = [entry("redis", "10.0.0.9")]
        await until(lambda: engine.streams == 1 and addresses(one) == ["10.0.0.9"])
        assert not one.error
        one.close()

    play(story)
    assert not [one for one in caplog.records if one.name == "ambassador"]


def test_a_stream_that_ends_at_once_has_all_listed_all_the_same(play):
    async def story(engine):
        engine.answer = lambda _, path: (200, b"") if path.startswith("/events") else None
        engine.containers = [entry("redis", "10.0.0.2")]
        one = follower(engine)
        await until(lambda: addresses(one) == ["10.0.0.2"])
        engine.containers = [entry("redis", "10.0.0.9")]
        await until(lambda: addresses(one) == ["10.0.0.9"])
        one.close()

    play(story)


def test_a_stream_without_a_head_holds_nothing_up_and_has_a_second_look(play):
    async def story(engine):
        async def silent():
            await asyncio.sleep(60)

        engine.answer = lambda _, path: silent() if path.startswith("/events") else None
        engine.containers = [entry("redis", "10.0.0.2")]
        one = follower(engine)
        await until(lambda: addresses(one) == ["10.0.0.2"])
        engine.containers = [entry("redis", "10.0.0.9")]
        await until(lambda: addresses(one) == ["10.0.0.9"])
        one.close()

    play(story)


def test_what_an_engine_said_stands_while_it_is_away_and_it_is_followed_again(play):
    async def story(engine):
        engine.containers = [entry("redis", "10.0.0.2")]
        one = follower(engine)
        await until(lambda: engine.streams == 1 and one.listed)
        await engine.stop()
        await until(lambda: one.error)
        assert addresses(one) == ["10.0.0.2"]
        assert time.time() - one.seen_at < 5
        engine.containers = [entry("redis", "10.0.0.4")]
        await engine.start()
        await until(lambda: addresses(one) == ["10.0.0.4"] and not one.error)
        one.close()

    play(story)


def test_an_engine_that_forbids_events_is_no_busy_loop(play):
    async def story(engine):
        engine.containers = [entry("redis", "10.0.0.2")]
        forbidden = (403, b"no")
        engine.answer = lambda _, path: forbidden if path.startswith("/events") else None
        one = follower(engine)
        await until(lambda: addresses(one) == ["10.0.0.2"])
        began = time.monotonic()
        await until(lambda: time.monotonic() - began > 1.0)
        assert len(engine.asked) < 20
        assert "forbids GET /events" in one.error
        one.close()

    play(story)


def test_many_events_at_once_are_one_look_at_everything(play):
    async def story(engine):
        engine.containers = [entry(f"c{n}", f"10.0.1.{n}") for n in range(50)]
        one = follower(engine)
        await until(lambda: engine.streams == 1 and one.listed)
        before = len(engine.asked)
        for container in engine.containers:
            engine.tell("start", container["Id"])
        await until(lambda: len(addresses(one)) == 50 and one.events == 50)
        assert len(engine.asked) - before < 5
        one.close()

    play(story)


def test_only_get_is_ever_asked(play):
    async def story(engine):
        engine.containers = [entry("redis", "10.0.0.2")]
        one = follower(engine)
        await until(lambda: one.listed)
        engine.tell("die", engine.containers[0]["Id"])
        await until(lambda: one.lists > 1)
        assert {method for method, _ in engine.asked} == {"GET"}
        one.close()

    play(story)


def test_an_old_event_has_all_looked_at_since_others_may_be_lost(play):
    async def story(engine):
        engine.containers = [entry("redis", "10.0.0.2")]
        one = follower(engine)
        await until(lambda: engine.streams == 1 and one.listed)
        engine.containers = [entry("redis", "10.0.0.2"), entry("new", "10.0.0.8")]
        engine.tell("pause", engine.containers[0]["Id"], timeNano=int((time.time() - 30) * 1e9))
        await until(lambda: len(addresses(one)) == 2)
        one.close()

    play(story)
