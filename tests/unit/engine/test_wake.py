import asyncio
import gc
import os
import signal
from pathlib import Path

import pytest

from ambassador.engine import wake
from tests.fake_engine import entry

from .conftest import until
from .test_feed import feed

HOST = "docker://db:6379?wake"


def posts(engine):
    return [path for method, path in engine.asked if method == "POST"]


async def begun(one, host=HOST):
    told = []
    one.follow(host, lambda *said: told.append(said))
    await until(lambda: told)
    return told


def starts(engine, paused=False):
    """Have the engine do what a real one does when it is asked to start."""
    engine.started = "2026-11-30T20:00:00.5Z"

    def answer(method, path):
        if method == "GET" and path.endswith("/json") and path.count("/") == 3:
            running = engine.containers[0]["State"] == "running"
            return 200, {"State": {"Running": running, "StartedAt": engine.started}}
        if method == "POST":
            (container,) = engine.containers
            engine.containers = [entry("db", "127.0.0.2")]
            engine.tell("start", container["Id"])
            return 204, None
        return None

    engine.answer = answer


def test_what_was_woken_is_looked_for_without_an_event(play):
    async def story(engine):
        engine.containers = [entry("db", state="exited")]

        def answer(method, _path):
            if method == "POST":
                engine.containers = [entry("db", "127.0.0.2")]
                return 204, None
            return None

        engine.answer = answer
        one = feed(engine)
        told = await begun(one)
        one.wanted(HOST)
        await until(lambda: told[-1][0] == ("127.0.0.2",))
        one.close()

    play(story)


def test_many_who_wait_are_one_start_and_are_let_through_when_it_answers(play):
    async def story(engine):
        engine.containers = [entry("db", state="exited")]
        starts(engine)
        ready = asyncio.Event()

        async def answers(*_):
            return ready.is_set()

        one = feed(engine, answers=answers)
        told = await begun(one)
        await until(lambda: engine.streams)
        assert {one.wanted(HOST) for _ in range(100)} == {60.0}
        await until(lambda: posts(engine))
        await until(lambda: one.follower.containers[0].networks)
        assert told[-1][0] == ()  # it does not answer yet
        one.wanted(HOST)
        ready.set()
        await until(lambda: told[-1][0] == ("127.0.0.2",))
        assert len(posts(engine)) == 1
        assert posts(engine)[0].endswith("/start")
        one.close()

    play(story)


def test_without_wake_nothing_is_started(play):
    async def story(engine):
        engine.containers = [entry("db", state="exited")]
        one = feed(engine)
        await begun(one, "docker://db:6379")
        assert one.wanted("docker://db:6379") == 0.0
        assert not posts(engine)
        one.close()

    play(story)


def test_one_that_has_just_left_is_waited_for_since_it_may_be_recreated(play):
    async def story(engine):
        engine.containers = [entry("db", "127.0.0.2")]
        one = feed(engine)
        told = await begun(one, "docker://db:6379")
        await until(lambda: told[-1][0] and engine.streams)
        engine.tell("die", engine.containers[0]["Id"])
        await until(lambda: not told[-1][0])
        assert 10 < one.wanted("docker://db:6379") <= 15
        assert not posts(engine)
        one.close()

    play(story)


def test_a_paused_one_is_unpaused(play):
    async def story(engine):
        engine.containers = [entry("db", "127.0.0.2", state="paused")]
        starts(engine)
        one = feed(engine)
        await begun(one)
        one.wanted(HOST)
        await until(lambda: posts(engine))
        assert posts(engine)[0].endswith("/unpause")
        one.close()

    play(story)


def test_a_proxy_that_forbids_post_is_told_with_the_path_to_allow_and_not_asked_on_and_on(play):
    async def story(engine):
        engine.containers = [entry("db", state="exited")]
        engine.answer = lambda method, _: (403, b"no") if method == "POST" else None
        one = feed(engine)
        await begun(one)
        one.wanted(HOST)
        await until(lambda: "forbids POST" in one.view(HOST)[1])
        assert "allow POST /v1.*/containers/db/start" in one.view(HOST)[1]
        assert one.wanted(HOST) == 0.0
        assert len(posts(engine)) == 1
        one.close()

    play(story)


def test_a_command_wakes_instead_of_the_engine(play, tmp_path):
    async def story(engine):
        engine.containers = [entry("db", state="exited")]
        log = tmp_path / "log"
        script = tmp_path / "wake"
        script.write_text(f'#!/bin/sh\necho "$1" >>{log}\n')
        script.chmod(0o755)
        one = feed(engine, command=(str(script),))
        await begun(one)
        one.wanted(HOST)
        await until(log.exists)
        await until(lambda: log.read_text() == "db\n")
        assert not posts(engine)
        one.close()

    play(story)


@pytest.mark.parametrize("ends", ["closed", "too long"])
def test_a_command_nobody_waits_for_any_more_is_killed(play, tmp_path, monkeypatch, ends):
    async def story(engine):
        engine.containers = [entry("db", state="exited")]
        number = tmp_path / "pid"
        script = tmp_path / "wake"
        script.write_text(
            f"#!/bin/sh\necho $$ >{number}.new\nmv {number}.new {number}\nexec sleep 100"
        )
        script.chmod(0o755)
        if ends == "too long":
            monkeypatch.setattr(wake, "_START", 0.5)
        one = feed(engine, command=(str(script),))
        await begun(one)
        one.wanted(HOST)
        await until(number.exists)
        if ends == "closed":
            one.close()
        else:
            await until(lambda: "has not ended after 0.5 s" in one.view(HOST)[1])
            one.close()
        await until(lambda: not Path(f"/proc/{number.read_text().strip()}").exists())

    play(story)


def test_what_was_woken_is_stopped_when_nothing_is_open_for_long_enough(play):
    async def story(engine):
        host = f"{HOST}&sleep=1s"
        engine.containers = [entry("db", state="exited")]
        starts(engine)
        count = 1

        async def sessions(_host):
            return count

        one = feed(engine, sessions=sessions)
        await begun(one, host)
        await until(lambda: engine.streams)
        one.wanted(host)
        await until(lambda: one.follower.containers[0].state == "running" and posts(engine))
        await asyncio.sleep(1.5)
        assert not any(path.endswith("/stop") for path in posts(engine))
        count = 0
        await until(lambda: any(path.endswith("/stop") for path in posts(engine)))
        one.close()

    play(story)


@pytest.mark.parametrize("turns", range(5))
def test_a_command_is_reaped_though_the_loop_ends_with_it(play, tmp_path, turns):
    number = tmp_path / "pid"

    async def story(engine):
        engine.containers = [entry("db", state="exited")]
        script = tmp_path / "wake"
        script.write_text(
            f"#!/bin/sh\necho $$ >{number}.new\nmv {number}.new {number}\nexec sleep 100"
        )
        script.chmod(0o755)
        one = feed(engine, command=(str(script),))
        await begun(one)
        one.wanted(HOST)
        await until(number.exists)
        one.close()
        for _ in range(turns):
            await asyncio.sleep(0)

    play(story)
    assert not Path(f"/proc/{number.read_text().strip()}").exists()
    gc.collect()  # a transport that is not closed says so now


def test_what_a_command_started_may_keep_its_stderr(play, tmp_path, monkeypatch):
    monkeypatch.setattr(wake, "_START", 0.5)
    number = tmp_path / "pid"

    async def story(engine):
        engine.containers = [entry("db", state="exited")]
        script = tmp_path / "wake"
        script.write_text(f"#!/bin/sh\nsleep 100 &\necho $! >{number}\n")
        script.chmod(0o755)
        one = feed(engine, command=(str(script),))
        await begun(one)
        before = descriptors()
        one.wanted(HOST)
        await until(lambda: "keeps its stderr open after 0.5 s" in one.view(HOST)[1])
        await until(lambda: descriptors() <= before)
        one.close()

    try:
        play(story)
    finally:
        os.kill(int(number.read_text()), signal.SIGKILL)


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))
