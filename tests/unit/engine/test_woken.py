"""What was woken is stopped again after a restart, and nothing that somebody else has started."""

import pytest

from ambassador.engine.woken import Woken
from tests.fake_engine import entry

from .conftest import until
from .test_feed import feed
from .test_wake import HOST, begun, posts, starts


def stopped(engine):
    return any(path.endswith("/stop") for path in posts(engine))


async def woken(engine, tmp_path, host):
    """Have a container woken by a first ambassador, which keeps what it woke and ends."""
    engine.containers = [entry("db", state="exited")]
    starts(engine)
    before = Woken(tmp_path)
    one = feed(engine, woken=before)
    await begun(one, host)
    await until(lambda: engine.streams)
    one.wanted(host)
    await until(lambda: engine.containers[0]["Id"] in Woken(tmp_path))
    one.close()
    return before.encode()


@pytest.mark.parametrize("by", ["its state", "an upgrade"])
def test_what_was_woken_before_a_restart_is_stopped_after_it(play, tmp_path, by):
    async def story(engine):
        host = f"{HOST}&sleep=1s"
        handed = await woken(engine, tmp_path, host)
        known = Woken(tmp_path) if by == "its state" else Woken(handed=handed)
        one = feed(engine, woken=known)
        await begun(one, host)
        await until(lambda: stopped(engine))
        await until(lambda: engine.containers[0]["Id"] not in known)
        one.close()

    play(story)


def test_what_somebody_else_has_started_since_is_theirs(play, tmp_path):
    async def story(engine):
        host = f"{HOST}&sleep=1s"
        await woken(engine, tmp_path, host)
        engine.started = "2026-11-30T21:00:00.5Z"
        known = Woken(tmp_path)
        one = feed(engine, woken=known)
        await begun(one, host)
        await until(lambda: engine.containers[0]["Id"] not in known)
        assert not stopped(engine)
        one.close()

    play(story)


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2}', '{"version": 1, "containers": 3}'])
def test_a_damaged_memory_of_what_was_woken_is_told_and_passed_over(tmp_path, text, caplog):
    (tmp_path / "woken.json").write_text(text)
    assert "x" not in Woken(tmp_path)
    assert "which containers were woken is not remembered" in caplog.text
