"""A few seconds of what `./dev fuzz moved` does for ten minutes."""

import asyncio

from tests.scenario.moved import Fuzz


def test_sessions_that_are_moved_at_any_moment_lose_nothing(tmp_path):
    fuzz = Fuzz(6, 20261201, tmp_path)
    asyncio.run(fuzz.run())
    assert fuzz.failures == []
    assert fuzz.counts["moves"] >= 1
    assert fuzz.counts["sessions"] > 40
