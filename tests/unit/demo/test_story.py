"""The story, told quickly, with an ambassador that moves and with one that does not."""

import asyncio
import io
import shutil
from contextlib import asynccontextmanager

import pytest

from ambassador.app import App, sources
from ambassador.demo import story
from ambassador.demo.screen import Screen
from ambassador.demo.stage import staged
from ambassador.demo.story import tell
from ambassador.settings import Settings

SETTINGS = Settings(admin="off", plane="relay")
QUICK = {"REDIS_PORT_6379_TCP_CONNECT": "200ms"}


def stage(screen, variables):
    return staged(
        screen,
        lambda source: App(SETTINGS, [source]),
        lambda variables: sources(SETTINGS, variables, ())[0].read(),
        {**variables, **QUICK},
    )


def told(start, seconds=1.5):
    stream = io.StringIO()
    screen = Screen(stream, colour=False)
    tally = asyncio.run(tell(screen, lambda variables: start(screen, variables), seconds))
    return tally, stream.getvalue()


def test_the_consumer_sees_no_error_while_the_service_moves():
    tally, text = told(stage)
    assert tally.flawless
    assert tally.visits == tally.requests >= 5
    assert "no error, no count lost" in text
    # both have answered: the move has happened
    old, new = text.partition(" on 127.0.0.1:")[2][:6], text.partition("copy of it on")[2][:17]
    assert str(tally.answered_by) in new
    assert str(tally.answered_by) not in old


@pytest.mark.skipif(
    not shutil.which("redis-server"), reason="needs redis-server: ./dev test as root"
)
def test_an_installed_redis_does_as_well(monkeypatch):
    monkeypatch.setattr(story, "find_program", lambda: shutil.which("redis-server"))
    tally, text = told(stage)
    assert tally.flawless, text
    assert "service     Redis " in text


def test_an_ambassador_that_does_not_move_is_found_out():
    async def deaf(variables):
        pass

    @asynccontextmanager
    async def start(screen, variables):
        async with stage(screen, variables):
            yield deaf

    tally, text = told(start)
    assert not tally.flawless
    assert tally.errors
    assert tally.errors[0] in text
    assert " failed, " in text
