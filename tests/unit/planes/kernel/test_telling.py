"""What is logged of ways that do not work."""

import pytest

from ambassador import log
from ambassador.model import Endpoint, Inet, Route
from ambassador.planes.kernel.evidence import Fault, Kind, Saying, Suspect
from ambassador.planes.kernel.route import KernelRoute
from ambassador.planes.kernel.telling import tell, tell_of_guard

NAME = Endpoint(Inet("db", 7000))
FOUR, SIX = Suspect(None, "", False), Suspect(None, "", True)
FAULT = Fault(Kind.FIREWALL, "chain f drops forwarded packets")


@pytest.fixture
def told():
    found = []
    stop = log.follow(lambda _level, name, text, _fields: found.append((name, text)))
    yield found
    stop()


@pytest.mark.parametrize(
    ("suspect", "saying", "event", "text"),
    [
        (FOUR, Saying.OUT, "way_out", f"new IPv4 sessions go to the relay: {FAULT.why}"),
        (SIX, Saying.BACK, "way_back", "new IPv6 sessions go to the kernel again"),
        (Suspect(NAME, "fd00::2"), Saying.OUT, "way_out", FAULT.why),
        (Suspect(NAME, "10.0.0.2"), Saying.BACK, "way_back", "10.0.0.2 gets new sessions again"),
    ],
)
def test_ways_and_addresses_are_spoken_of(told, suspect, saying, event, text):
    one = KernelRoute(Route("redis", Inet("", 6379), (NAME,)))
    one.learn("db", ("10.0.0.1", "10.0.0.2", "fd00::2"))
    tell(one, suspect, saying, FAULT)
    tell(one, suspect, Saying.NOTHING, FAULT)
    assert told == [(event, f"redis  {text}")]


def test_whole_endpoints_are_left_to_the_relay(told):
    one = KernelRoute(Route("redis", Inet("", 6379), (NAME,)))
    one.learn("db", ("10.0.0.1",))
    tell(one, Suspect(NAME), Saying.OUT, FAULT)
    tell(one, Suspect(NAME, "10.0.0.1"), Saying.OUT, FAULT)
    assert told == []


def test_a_guard_that_is_passed_by_is_named(told):
    tell_of_guard(KernelRoute(Route("redis", Inet("", 6379), (NAME,))), "chain i drops it")
    assert told == [
        (
            "guard_passed_by",
            "redis  chain i drops it; in the kernel, which is required, clients bypass it",
        )
    ]
