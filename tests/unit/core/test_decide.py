"""From commands to wishes, and to what is wrong with a command."""

import math

import pytest

from ambassador.core.chosen import chosen, parse_address
from ambassador.core.commands import Drain, Hold, Maint, Move, Ready, Release, Remove, Reset
from ambassador.core.decide import add, decide
from ambassador.core.moving import move
from ambassador.core.situation import Situation
from ambassador.core.wish import Wish, effective
from ambassador.errors import ConfigError, ConflictError, NotFoundError
from ambassador.model import (
    Desired,
    Endpoint,
    Existing,
    Fate,
    Inet,
    Proto,
    Route,
    Unix,
)
from ambassador.model import Hold as Held

A, B, C = (Endpoint(Inet(f"db{name}", 6379)) for name in "abc")


def route(name="redis", port=6379, endpoints=(A, B), **options):
    listen = Inet("", port)
    return Route(name, listen, endpoints, alias=name, port=port, origin=f"var {name}", **options)


REDIS, OTHER = route(), route("other", 7000, (A,))


def situation(*wishes, desired=(REDIS, OTHER)):
    laid = {wish.key: wish for wish in wishes}
    found = effective(Desired(desired), laid).routes
    return Situation(Desired(desired), found, laid, "ann", 1.0)


def after(now, command):
    """Return the situation that a command leads to."""
    wanted = decide(now, command)
    found = effective(now.desired, wanted.wishes).routes
    return Situation(now.desired, found, wanted.wishes, now.who, now.when), wanted


def found(now, name="redis"):
    return next(route for route in now.routes if route.name == name)


def admins(now, name="redis"):
    return [endpoint.admin.value for endpoint in found(now, name).endpoints]


def wrong(kind, text, function, *arguments):
    with pytest.raises(kind, match=text) as caught:
        function(*arguments)
    return caught.value.problems[0]


def test_a_hold_and_its_release():
    now, wanted = after(situation(), Hold("redis", 5.0, 3))
    assert found(now).hold == Held(5.0, 3)
    assert (wanted.message, wanted.routes) == ("redis held", ("redis",))
    (wish,) = wanted.wishes.values()
    assert (wish.who, wish.when, wish.what) == ("ann", 1.0, "redis held")
    now, wanted = after(now, Release("redis"))
    assert found(now).hold is None
    assert wanted.wishes == {}


@pytest.mark.parametrize("timeout", [0, -1, math.nan, math.inf])
def test_a_hold_without_a_time(timeout):
    assert wrong(ConfigError, "above 0", decide, situation(), Hold("redis", timeout)).where == (
        "timeout"
    )


def test_a_hold_for_nobody():
    problem = wrong(ConfigError, "at least 1", decide, situation(), Hold("redis", limit=0))
    assert problem.where == "limit"


def test_held_twice_and_released_without_being_held():
    now, _ = after(situation(), Hold("redis"))
    wrong(ConflictError, "redis is held already", decide, now, Hold("redis"))
    wrong(ConflictError, "redis is not held", decide, situation(), Release("redis"))


@pytest.mark.parametrize(
    "command", [Hold("reds"), Release("reds"), Remove("reds"), Reset("reds"), Drain("reds")]
)
def test_a_route_that_is_not_there_and_the_nearest(command):
    text = 'there is no route "reds", did you mean "redis"'
    assert wrong(NotFoundError, text, decide, situation(), command).where == "route"


def test_drain_maint_and_ready_of_one_endpoint():
    now, wanted = after(situation(), Drain("redis", "tcp://dba:6379"))
    assert admins(now) == ["drain", "ready"]
    assert wanted.message == "dba:6379 of redis draining"
    now, _ = after(now, Maint("redis", "dbb:6379"))
    assert admins(now) == ["drain", "maint"]
    now, _ = after(now, Ready("redis", "dba:6379"))
    assert admins(now) == ["ready", "maint"]
    now, wanted = after(now, Ready("redis"))
    assert wanted.wishes == {}


def test_drain_of_an_endpoint_in_every_route_that_has_it():
    now, wanted = after(situation(), Drain(endpoint="tcp://dba:6379"))
    assert admins(now) == ["drain", "ready"]
    assert admins(now, "other") == ["drain"]
    assert wanted.routes == ("redis", "other")


def test_drain_of_a_whole_route():
    now, _ = after(situation(), Drain("redis", deadline=5.0))
    assert admins(now) == ["drain", "drain"]
    assert admins(now, "other") == ["ready"]


def test_neither_a_route_nor_an_endpoint():
    wrong(ConfigError, "neither a route nor an endpoint is named", decide, situation(), Drain())


def test_an_endpoint_that_is_not_there_and_the_nearest():
    problem = wrong(
        NotFoundError,
        'no endpoint "tcp://dbx:6379"',
        decide,
        situation(),
        Drain("", "tcp://dbx:6379"),
    )
    assert "did you mean" in problem.what
    assert problem.expected == "one of dba:6379, dbb:6379"
    wrong(NotFoundError, "of other", decide, situation(), Drain("other", "dbb:6379"))


def test_an_endpoint_of_another_protocol():
    wrong(NotFoundError, "no endpoint", decide, situation(), Drain("redis", "udp://dba:6379"))


def test_a_deadline_in_the_past():
    wrong(ConfigError, "above 0", decide, situation(), Drain("redis", deadline=-1.0))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tcp://db:1", Inet("db", 1)),
        ("db:1", Inet("db", 1)),
        ("[fd00::1]:1", Inet("fd00::1", 1)),
        ("/run/redis.sock", Unix("/run/redis.sock")),
        ("unix:///run/redis.sock", Unix("/run/redis.sock")),
        ("udp://db:1", None),
    ],
)
def test_an_address_with_and_without_its_scheme(text, address):
    assert parse_address(text, Proto.TCP) == address


def test_a_move_takes_several_as_a_variable_has_them_and_as_status_shows_them():
    wanted = (Inet("dbc", 6379), Inet("dbd", 1))
    for texts in (("dbc:6379", "dbd:1"), ("dbc:6379,dbd:1",), ("tcp://dbc:6379,dbd:1",)):
        moved = move(situation(), Move("redis", texts))
        assert tuple(one.address for one in moved.endpoints) == wanted


def test_chosen_endpoints_by_route():
    assert chosen((REDIS, OTHER), "redis", "") == [(REDIS, (A, B))]
    assert chosen((REDIS, OTHER), "", "dba:6379") == [(REDIS, (A,)), (OTHER, (A,))]


def test_removed_and_back():
    now, _ = after(situation(), Remove("redis"))
    assert [route.name for route in now.routes] == ["other"]
    now, wanted = after(now, Reset("redis"))
    assert [route.name for route in now.routes] == ["redis", "other"]
    assert wanted.message == "redis reset"


def test_removing_what_was_added_leaves_nothing():
    wanted = add(situation(), (route("new", 8000, (C,)),))
    assert (wanted.message, wanted.routes) == ("added new  :8000 -> dbc:6379", ("new",))
    now = situation(*wanted.wishes.values())
    assert found(now, "new").origin == "added by ann"
    assert decide(now, Remove("new")).wishes == {}


def test_what_cannot_be_added():
    wrong(ConflictError, ":6379 belongs to the route redis", add, situation(), (route("x", 6379),))
    now, _ = after(situation(), Remove("redis"))
    wrong(ConflictError, "is removed, but the sources still say it", add, now, (route(),))


def test_reset_of_all_and_of_what_is_not_changed():
    now, _ = after(situation(), Hold("redis"))
    now, _ = after(now, Drain("other"))
    wanted = decide(now, Reset())
    assert (wanted.wishes, wanted.message) == ({}, "2 routes reset")
    wrong(ConflictError, "as the sources say already", decide, situation(), Reset("redis"))


def test_reset_of_a_wish_whose_route_is_gone():
    wish = Wish(Proto.TCP, Inet("", 9000), "gone", hold=Held())
    assert decide(situation(wish), Reset("gone")).wishes == {}


def moved(now, *endpoints, **options):
    return move(now, Move("redis", endpoints or ("tcp://dbc:6379",), **options))


def test_a_move_in_two_steps():
    plan = moved(situation(), existing="drain=30s")
    (between,) = (
        r for r in effective(Desired((REDIS, OTHER)), plan.between).routes if r.name == "redis"
    )
    assert [(e.address.host, e.admin.value) for e in between.endpoints] == [
        ("dbc", "ready"),
        ("dba", "drain"),
        ("dbb", "drain"),
    ]
    assert between.hold is None
    (end,) = (r for r in effective(Desired((REDIS, OTHER)), plan.after).routes if r.name == "redis")
    assert end.endpoints == plan.endpoints == (C,)
    assert plan.existing == Existing(Fate.DRAIN, 30.0)
    assert plan.message == "redis moved to dbc:6379"


def test_a_move_may_hold_but_releases_only_its_own_hold():
    plan = moved(situation(), hold=True)
    assert plan.between[REDIS.key].hold is not None
    assert plan.after[REDIS.key].hold is None
    now, _ = after(situation(), Hold("redis", 7.0))
    plan = moved(now, hold=True)
    assert plan.between[REDIS.key].hold == plan.after[REDIS.key].hold == Held(7.0)


def test_an_endpoint_that_stays_is_made_ready():
    now, _ = after(situation(), Drain("redis", "dba:6379"))
    plan = moved(now, "tcp://dba:6379", "tcp://dbc:6379")
    assert plan.after[REDIS.key].admin == ()
    assert [address.host for address, _ in plan.between[REDIS.key].admin] == ["dbb"]


def test_moved_back_to_what_the_source_says_nothing_is_left_to_want():
    plan = moved(situation())
    now = situation(*plan.after.values())
    assert moved(now, "tcp://dba:6379", "tcp://dbb:6379").after == {}


@pytest.mark.parametrize(
    ("endpoints", "options", "kind", "text", "where"),
    [
        (
            ("tcp://dba:6379", "tcp://dbb:6379"),
            {},
            ConflictError,
            "leads to .* already",
            "endpoints",
        ),
        ((), {"timeout": 0.0}, ConfigError, "above 0", "timeout"),
        (("dbc",), {}, ConfigError, "port is missing", "endpoints"),
        (("udp://dbc:6379",), {}, ConfigError, "contradicts the protocol", "endpoints"),
        (("tcp://dbc:1", "tcp://dbc:1"), {}, ConfigError, "given twice", "endpoints"),
        (("tcp://dbc:1-2",), {}, ConfigError, "this endpoint has 2", "endpoints"),
        ((), {"existing": "perhaps"}, ConfigError, "is no policy", "existing"),
    ],
)
def test_a_move_that_makes_no_sense(endpoints, options, kind, text, where):
    assert wrong(kind, text, lambda: moved(situation(), *endpoints, **options)).where == where


def test_a_move_to_nowhere():
    wrong(ConfigError, "is empty", move, situation(), Move("redis", ()))


def test_a_flow_of_datagrams_has_no_policy():
    dns = Route("redis", Inet("", 53), (Endpoint(Inet("dba", 53), Proto.UDP),), Proto.UDP)
    now = situation(desired=(dns,))
    wrong(ConfigError, "a UDP route has none", lambda: moved(now, "udp://dbc:53", existing="cut"))


def test_an_endpoint_may_be_named_as_status_shows_it():
    assert (
        moved(situation(), "dbc:6379").endpoints == moved(situation(), "tcp://dbc:6379").endpoints
    )


def test_a_move_to_thousands_of_endpoints_is_refused():
    with pytest.raises(ConfigError, match="has 5000 endpoints"):
        move(situation(), Move("redis", tuple(f"tcp://h{number}:1" for number in range(5000))))
