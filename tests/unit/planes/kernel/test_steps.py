"""What steps mean for the routes of the kernel plane."""

import asyncio
from dataclasses import replace

import pytest

from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute
from ambassador.model import Endpoint, Existing, Fate, Inet, Route
from ambassador.planes.kernel.life import Event, Stage
from ambassador.planes.kernel.registry import Registry
from ambassador.planes.kernel.steps import announce, take

CUT = Existing(Fate.CUT)


def route(name, host="", port=6379):
    return Route(name, Inet(host, port), (Endpoint(Inet("10.0.0.1", 7000)),))


@pytest.fixture
def registry():
    return Registry()


def taken(registry, *steps, judge=None):
    return asyncio.run(take(steps, registry, judge or registry.crowd))


def test_a_changed_route_has_a_successor_and_the_old_one_stays_as_it_was(registry):
    before = route("redis")
    (old,) = taken(registry, AddRoute(before)).come
    old.happened(Event.WAYS)
    after = replace(before, connect=1.0)
    replaced, (new,), bystanders = taken(registry, ChangeRoute(before, after, CUT))
    assert (replaced, bystanders) == ([old], [])
    assert registry.of(after) is new
    assert (new.route, new.once, new.forgive, new.stage) == (after, CUT, True, Stage.ARRIVED)
    assert (old.route, old.once) == (before, None)


def test_a_removed_route_goes_and_one_that_was_in_its_way_may_come_back(registry):
    first, second = route("a", "10.0.0.9"), route("b", "10.0.0.8")
    taken(registry, AddRoute(first))
    _, (other,), (one,) = taken(registry, AddRoute(second))
    assert one.refusal == "b listens on port 6379 of another address"
    assert other.refusal == "a listens on port 6379 of another address"
    replaced, come, bystanders = taken(registry, RemoveRoute(second))
    assert (replaced, come, bystanders) == ([other], [], [one])
    assert one.refusal == ""


def test_addresses_that_are_written_out_are_known_at_once(registry):
    (one,) = taken(registry, AddRoute(route("redis"))).come
    assert one.known == {"10.0.0.1": ("10.0.0.1",)}


def test_first_ways_that_come_late_are_said_once(registry, caplog):
    caplog.set_level("INFO", "ambassador")
    (one,) = taken(registry, AddRoute(route("redis"))).come
    announce(one)
    one.happened(Event.NO_WAYS)
    announce(one)
    assert caplog.records == []
    one.happened(Event.WAYS)
    announce(one)
    announce(one)
    assert [record.event for record in caplog.records] == ["route_plane"]
