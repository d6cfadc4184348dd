"""Whether clients of a route would reach an endpoint."""

from dataclasses import replace

import pytest

from ambassador.core.reports import EndpointMet, RouteStatus
from ambassador.core.working import lacking, not_working
from ambassador.model import Admin, Endpoint, Health, Hold, Inet, Route

A, B = Inet("a", 1), Inet("b", 1)
GOOD = Endpoint(A, health=Health.HEALTHY)
BAD = Endpoint(B, health=Health.UNHEALTHY)
ROUTE = Route("r", Inet("", 1), (GOOD, BAD), health="tcp")


def status(route, *failing):
    met = {address: EndpointMet(failing=True) for address in failing}
    return RouteStatus(route, "relay", "", 0, 0, 0, 0, 0, met=met)


@pytest.mark.parametrize(
    ("changes", "failing", "what"),
    [
        ({}, (), ""),
        ({}, (A,), "no endpoint works"),
        ({"endpoints": (BAD,)}, (), "no endpoint works"),
        ({"endpoints": (Endpoint(A), BAD)}, (), "no endpoint has answered yet"),
        ({"endpoints": (Endpoint(A), BAD), "health": ""}, (), ""),
        ({"endpoints": (Endpoint(A),), "health": ""}, (A,), "no endpoint works"),
        ({"endpoints": (replace(GOOD, admin=Admin.MAINT),)}, (), "no endpoint works"),
        ({"endpoints": (replace(BAD, spared=True),)}, (), "no endpoint works"),
        ({"endpoints": ()}, (), "it has no endpoint"),
        ({"hold": Hold(1.0, 1)}, (), "it is held"),
        ({"hold": Hold(1.0, 1), "led": True}, (), "it waits for its primary"),
        ({"endpoints": (Endpoint(A),), "led": True, "health": "redis-primary"}, (), ""),
    ],
)
def test_each_case(changes, failing, what):
    assert lacking(status(replace(ROUTE, **changes), *failing)) == what


def test_of_many_the_first_ten_are_named():
    lost = [status(replace(ROUTE, name=f"r{n}", endpoints=())) for n in range(13)]
    text = not_working([status(ROUTE), *lost])
    assert text.startswith("r0: it has no endpoint; r1:")
    assert text.endswith("r9: it has no endpoint; and 3 more")
    assert not_working([status(ROUTE)]) == ""
