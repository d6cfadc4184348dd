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
from ambassador.errors import RunError
from ambassador.settings import Settings


def stage(screen, variables, admin):
    settings = Settings(admin=str(admin / "admin.sock"), plane="relay")
    return staged(
        screen,
        lambda source: App(settings, [source]),
        lambda variables: sources(settings, variables, ())[0].read(),
        variables,
        settings.admin,
    )


def told(start, admin, seconds=2.5):
    stream = io.StringIO()
    screen = Screen(stream, colour=False)
    tally = asyncio.run(tell(screen, lambda variables: start(screen, variables, admin), seconds))
    return tally, stream.getvalue()


def test_nothing_is_lost_while_the_service_moves_and_when_it_is_killed(tmp_path):
    tally, text = told(stage, tmp_path)
    assert tally.flawless, text
    for words in (
        "$ ambassador move redis tcp://127.0.0.1:",
        "moved: 0 errors, the slowest answer took ",
        "is killed (SIGKILL)",
        "was selected to take over",
        "no acknowledged write is lost",
    ):
        assert words in text, text
    # The copy of the copy answers in the end: both have happened.
    assert f" a copy on :{tally.answered_by}, and a sentinel" in text


@pytest.mark.skipif(
    not shutil.which("redis-server"), reason="needs redis-server: ./dev test as root"
)
def test_an_installed_redis_does_as_well(monkeypatch, tmp_path):
    monkeypatch.setattr(story, "find_program", lambda: shutil.which("redis-server"))
    tally, text = told(stage, tmp_path)
    assert tally.flawless, text
    assert "service     Redis " in text


def test_an_ambassador_that_does_not_move_is_found_out(tmp_path):
    class Deaf:
        async def change(self, variables):
            pass

        async def operator(self, *words):
            pass

    @asynccontextmanager
    async def start(screen, variables, admin):
        async with stage(screen, variables, admin):
            yield Deaf()

    with pytest.raises(RunError, match="the consumers are served by the copy"):
        told(start, tmp_path)
