import asyncio

import pytest

from ambassador.engine import follower
from ambassador.engine.feed import EngineFeed, read_details
from ambassador.engine.place import Where
from tests.fake_engine import entry

from .conftest import until


async def answers(_host, _address, _port):
    return True


async def nobody(_host):
    return 0


def feed(engine, **more):
    return EngineFeed(
        Where(path=str(engine.path)), **{"answers": answers, "sessions": nobody, **more}
    )


def test_it_tells_where_a_container_is_and_when_it_is_nowhere(play):
    async def story(engine):
        redis = entry("redis", "127.0.0.2")
        engine.containers = [redis]
        one, told = feed(engine), []
        forget = one.follow("docker://redis:6379", lambda *said: told.append(said))
        await until(lambda: told and told[-1][0] == ("127.0.0.2",) and engine.streams)
        engine.tell("die", redis["Id"])
        await until(lambda: told[-1] == ((), "redis is exited", True))
        containers, problem = one.view("docker://redis:6379")
        assert (containers[0].name, problem) == ("redis", "redis is exited")
        forget()
        one.close()

    play(story)


def test_an_engine_that_never_answered_knows_nothing_which_is_not_the_same_as_none(play):
    async def story(engine):
        await engine.stop()
        one, told = feed(engine), []
        one.follow("docker://redis:6379", lambda *said: told.append(said))
        await until(lambda: told)
        assert told[-1][0] == ()
        assert "there is no such socket" in told[-1][1]
        assert told[-1][2] is False
        assert one.engine_view().age is None
        await engine.start()
        one.close()

    play(story)


def test_the_exposed_port_is_asked_for_where_none_is_written(play):
    async def story(engine):
        engine.containers = [entry("cache", "127.0.0.2", Image="cache")]
        details = {"Config": {"ExposedPorts": {"7000/tcp": {}}}, "HostConfig": {}}
        engine.answer = lambda _, path: (200, details) if path.count("/") == 3 else None
        one, told = feed(engine), []
        one.follow("docker://cache", lambda *said: told.append(said))
        await until(lambda: told and told[-1][0] == ("127.0.0.2#7000",))
        one.close()

    play(story)


def test_details_that_make_no_sense_are_not_said():
    for strange in (None, [], {"Config": []}, {"Config": {"ExposedPorts": {"x": 1, "0/tcp": 1}}}):
        assert read_details(strange).exposed == ()


def test_two_who_ask_for_one_name_are_told_both(play):
    async def story(engine):
        engine.containers = [entry("redis", "127.0.0.2")]
        one, first, second = feed(engine), [], []
        one.follow("docker://redis:6379", lambda *said: first.append(said))
        await until(lambda: first)
        one.follow("docker://redis:6379", lambda *said: second.append(said))
        assert second[-1][0] == ("127.0.0.2",)
        assert len([1 for _, path in engine.asked if path.startswith("/events")]) == 1
        await asyncio.sleep(0)
        one.close()

    play(story)


@pytest.mark.parametrize(
    ("server", "looks"), [("Libpod/4.3.1 (linux)", True), ("Docker/28", False)]
)
def test_while_a_client_waits_podman_is_asked_without_an_event_which_may_be_late(
    play, monkeypatch, server, looks
):
    monkeypatch.setattr(follower, "_AGAIN", 60.0)

    async def story(engine):
        engine.server = server
        engine.containers = [redis] = [entry("redis", "127.0.0.2")]
        one, told = feed(engine), []
        one.follow("docker://redis:6379", lambda *said: told.append(said))
        await until(lambda: told and told[-1][0] == ("127.0.0.2",) and engine.streams)
        engine.tell("died", redis["Id"])
        await until(lambda: told[-1][0] == ())
        engine.containers = [entry("redis", "127.0.0.3")]  # it has started, and no event tells it
        before = one.follower.lists
        one.wanted("docker://redis:6379")
        if looks:
            await until(lambda: told[-1][0] == ("127.0.0.3",))
            lists = one.follower.lists
        else:
            lists = before + 1  # for the death
        with pytest.raises(TimeoutError):  # then it is not asked any longer
            await until(lambda: one.follower.lists > lists, 0.4)
        one.close()

    play(story)
