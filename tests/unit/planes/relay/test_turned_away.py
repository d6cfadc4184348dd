"""Clients that are not let in, on a clock that is put forward."""

import asyncio
import logging

import pytest

from ambassador.model import Reason
from ambassador.planes.relay.turned_away import TurnedAway
from tests.clock import LoopWithClock, put_forward


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records]


def test_one_line_a_second_tells_of_however_many(said):
    async def body():
        refused = TurnedAway()
        for number in range(1000):
            refused.add("redis", Reason.DENIED, f"::ffff:192.0.2.{number % 9}")
        assert said() == ["redis  192.0.2.0 was refused: it may not come in"]
        put_forward(1.0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert said()[1:] == [
            "redis  999 clients were refused, 192.0.2.0 the last: they may not come in"
        ]
        put_forward(1.0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(said()) == 2
        refused.add("redis", Reason.DENIED, "2001:db8::1")
        assert said()[2:] == ["redis  2001:db8::1 was refused: it may not come in"]
        assert refused.by[Reason.DENIED] == 1001

    with asyncio.Runner(loop_factory=LoopWithClock) as runner:
        runner.run(body())
