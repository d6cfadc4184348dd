"""What was heard of an endpoint is told when it changes, until it is taken."""

import asyncio

from ambassador.errors import PlaneError
from ambassador.model import Endpoint, Health, Inet, Route
from ambassador.probes.heard import Heard

ROUTE = Route("a", Inet("", 1), (), rise=2, fall=2)
ENDPOINT = Endpoint(Inet("10.0.0.1", 7000))


def test_a_change_is_told_once_it_is_one_and_again_until_it_is_taken():
    told, failures = [], [True]

    async def judge(key, address, health, why):
        if failures:
            failures.pop()
            raise PlaneError("not now")
        told.append((address, health, why))

    heard = Heard(ROUTE, ENDPOINT, judge)
    assert not heard.changes("refused")
    assert heard.changes("refused")
    asyncio.run(heard.tell("refused"))
    assert told == []
    assert heard.changes("late")
    asyncio.run(heard.tell("late"))
    assert told == [(ENDPOINT.address, Health.UNHEALTHY, "late")]
    assert not heard.changes("late")
    assert not heard.changes("")
    assert heard.changes("")
