"""What a follower has found, laid over the route."""

import pytest

from ambassador.core.follow.lead import MOST_HELD, Lead, led
from ambassador.core.follow.stage import Stance
from ambassador.model import Endpoint, Follow, Hold, Inet, Route

S1 = Inet("s1", 26379)
X = Inet("10.0.0.1", 6379)
WRITTEN = (Endpoint(Inet("db1", 6379)),)
ROUTE = Route("r", Inet("", 6379), WRITTEN, connect=7.0, follow=Follow("sentinel", (S1,), "m"))


def test_a_route_that_follows_nothing_is_as_it_is_written():
    route = Route("r", Inet("", 6379), WRITTEN)
    assert led(route, Lead(X, Stance.LET, "", "")) is route


@pytest.mark.parametrize(
    ("stance", "endpoints", "held"),
    [
        (Stance.LET, (Endpoint(X),), False),
        (Stance.WAIT, (Endpoint(X),), True),
        (Stance.CUT, (), True),
    ],
)
def test_each_stance(stance, endpoints, held):
    found = led(ROUTE, Lead(X, stance, "", ""))
    assert found.endpoints == endpoints
    assert found.hold == (Hold(7.0, MOST_HELD) if held else None)
    assert (found.led, found.members) == (True, WRITTEN)


def test_without_a_lead_clients_wait_and_nothing_is_led_to():
    assert (led(ROUTE, None).endpoints, led(ROUTE, None).hold) == ((), Hold(7.0, MOST_HELD))


@pytest.mark.parametrize(("none", "hold"), [(0.0, Hold(0.0, 0)), (3.0, Hold(3.0, MOST_HELD))])
def test_what_clients_meet_without_a_primary_is_as_it_is_written(none, hold):
    route = Route("r", ROUTE.listen, (), follow=ROUTE.follow, none=none)
    assert led(route, None).hold == hold
