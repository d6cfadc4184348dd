"""What was heard of an endpoint is told when it changes, until it is taken."""

import asyncio

from ambassador.errors import PlaneError
from ambassador.model import Endpoint, Health, Inet, Route
from ambassador.probes.heard import Heard

ROUTE = Route("a", Inet("", 1), (), rise=2, fall=2)
ENDPOINT = Endpoint(Inet("10.0.0.1", 7000))


def test_a_change_is_told_once_it_is_one_and_again_until_it_is_taken():
    told, failures = [], [True]

    async def judge(key, address, health, why, addresses):
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


def test_each_address_of_a_name_has_a_health_of_its_own_and_one_that_works_is_enough():
    told = []

    async def judge(key, address, health, why, addresses):
        told.append((health, [(one.address, one.health, one.reason) for one in addresses]))

    def hear(why, address):
        if heard.changes(why, address):
            asyncio.run(heard.tell(why))

    heard = Heard(ROUTE, ENDPOINT, judge)
    heard.among(["10.0.0.1", "10.0.0.2"])
    hear("", "10.0.0.1")
    for _ in range(2):
        hear("refused", "10.0.0.2")
    good = ("10.0.0.1", Health.HEALTHY, "")
    bad = ("10.0.0.2", Health.UNHEALTHY, "refused")
    assert told == [
        (Health.HEALTHY, [good, ("10.0.0.2", Health.UNKNOWN, "")]),
        (Health.HEALTHY, [good, bad]),
    ]
    for _ in range(2):
        hear("late", "10.0.0.1")
    assert told[2] == (Health.UNHEALTHY, [("10.0.0.1", Health.UNHEALTHY, "late"), bad])
    heard.among(["10.0.0.2", "10.0.0.3"])  # nothing is known of the new one
    hear("refused", "10.0.0.2")
    assert told[3] == (Health.UNKNOWN, [bad, ("10.0.0.3", Health.UNKNOWN, "")])
    heard.among(["10.0.0.3"])
    hear("", "10.0.0.3")
    assert told[4] == (Health.HEALTHY, [])
    assert not heard.changes("", "10.0.0.3")


def test_a_name_that_is_nowhere_speaks_against_all_its_addresses():
    told = []

    async def judge(key, address, health, why, addresses):
        told.append((health, why, {one.health for one in addresses}))

    heard = Heard(ROUTE, ENDPOINT, judge)
    heard.among(["10.0.0.1", "10.0.0.2"])
    for _ in range(2):
        if heard.changes("no such name"):
            asyncio.run(heard.tell("no such name"))
    assert told[-1] == (Health.UNHEALTHY, "no such name", {Health.UNHEALTHY})
