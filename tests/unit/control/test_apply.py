"""The one way to change routes: plan, keep, apply; what fails leaves no trace."""

import asyncio
from dataclasses import replace

import pytest

from ambassador.control import apply
from ambassador.control.apply import Applier
from ambassador.control.telling import route_of
from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute
from ambassador.core.wish import Wish
from ambassador.errors import ConfigError, PlaneError
from ambassador.model import (
    Desired,
    Endpoint,
    Existing,
    Fate,
    Finding,
    Health,
    Hold,
    Inet,
    Proto,
    Route,
)
from tests.planes import FakePlane

A, B = (Endpoint(Inet(f"db{name}", 6379)) for name in "ab")
REDIS = Route("redis", Inet("", 6379), (A,), alias="redis", port=6379, origin="var")
OTHER = Route("other", Inet("", 7000), (B,), alias="other", port=7000)
KEY = REDIS.key
CUT = Existing(Fate.CUT)


@pytest.fixture
def applier():
    applier = Applier(FakePlane(), None)
    asyncio.run(applier.source(Desired((REDIS, OTHER)), "start"))
    applier._plane.steps.clear()
    return applier


def wish(**fields):
    return {KEY: Wish(Proto.TCP, REDIS.listen, "redis", "ann", 0.0, "held", **fields)}


def test_only_what_changes_is_touched_and_noted(applier):
    asyncio.run(applier.wish(wish(hold=Hold()), "ann", "redis held"))
    (step,) = applier._plane.steps
    assert (step.old, step.new.hold, step.existing) == (REDIS, Hold(), None)
    assert (applier.changed[KEY].who, applier.changed[KEY].what) == ("ann", "redis held")
    assert applier.changed[OTHER.key].who == "start"
    assert applier.differs(KEY).startswith("held by ann")
    assert applier.differs(OTHER.key) == ""


def test_the_policy_of_one_change_goes_to_the_route_it_is_for(applier):
    wishes = wish(endpoints=(B,))
    asyncio.run(applier.wish(wishes, "ann", "moved", {KEY: CUT}))
    assert [step.existing for step in applier._plane.steps] == [CUT]


def test_a_source_that_cannot_be_applied_changes_nothing(applier):
    applier._plane.failures = [PlaneError("taken")]
    with pytest.raises(PlaneError):
        asyncio.run(applier.source(Desired((OTHER,)), "reload"))
    assert applier.routes == applier.desired.routes == (REDIS, OTHER)


def test_a_wish_that_makes_no_sense_reaches_no_plane(applier):
    itself = (Endpoint(Inet("127.0.0.1", 6379)),)
    with pytest.raises(ConfigError, match="where it listens itself"):
        asyncio.run(applier.wish(wish(endpoints=itself), "ann", "moved"))
    assert applier._plane.steps == []
    assert applier.wishes == {}


def test_what_probes_say_is_laid_over_all_and_forgotten_when_it_cannot_be_done(applier):
    asyncio.run(applier.judge({(KEY, A.address): Finding(Health.UNHEALTHY)}))
    assert [e.health for e in applier.routes[0].endpoints] == [Health.UNHEALTHY]
    assert applier.changed[KEY].who == "health"
    applier._plane.failures = [PlaneError("nft")]
    with pytest.raises(PlaneError):
        asyncio.run(applier.judge({(KEY, A.address): Finding(Health.HEALTHY)}))
    assert applier.verdicts == {(KEY, A.address): Finding(Health.UNHEALTHY)}


def test_a_route_that_goes_takes_its_last_change_along(applier):
    asyncio.run(applier.source(Desired((OTHER,)), "reload"))
    assert list(applier.changed) == [OTHER.key]


def test_what_concerns_one_route_does_not_look_at_all(applier, monkeypatch):
    def everything(*_):
        raise AssertionError("every route is looked at")

    monkeypatch.setattr(apply, "effective", everything)
    monkeypatch.setattr(apply, "plan", everything)
    asyncio.run(applier.wish(wish(hold=Hold()), "ann", "redis held"))
    asyncio.run(applier.wish({}, "ann", "redis reset"))
    asyncio.run(applier.wish(wish(endpoints=(B,)), "ann", "redis moved"))
    asyncio.run(applier.judge({(KEY, B.address): Finding(Health.HEALTHY, ("10.0.0.2",))}))
    assert applier.changed[KEY].what == "dbb:6379 is healthy, but not at 10.0.0.2"
    asyncio.run(applier.judge({(KEY, B.address): Finding(Health.UNHEALTHY)}))
    assert len(applier._plane.steps) == 5
    assert applier.changed[KEY].what == "dbb:6379 is unhealthy"
    with pytest.raises(AssertionError):  # names and listen addresses of others may be concerned
        asyncio.run(applier.wish(wish(removed=True), "ann", "redis removed"))


def test_whose_step_it_is():
    assert route_of(AddRoute(REDIS)) is route_of(RemoveRoute(REDIS)) is REDIS
    assert route_of(ChangeRoute(REDIS, OTHER)) is OTHER


def test_a_route_that_looks_as_before_is_not_told_again(applier, caplog):
    caplog.set_level("INFO", "ambassador")
    asyncio.run(applier.wish(wish(hold=Hold()), "ann", "redis held"))
    assert [record.event for record in caplog.records] == []
    changed = replace(REDIS, connect=1.0)  # what a source says otherwise is told
    asyncio.run(applier.source(Desired((changed, OTHER)), "reload"))
    assert [record.event for record in caplog.records] == ["route_changed"]
