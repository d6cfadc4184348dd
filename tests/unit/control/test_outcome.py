"""What is said of a command that is done."""

from dataclasses import replace

from ambassador.control import outcome
from ambassador.core.moving import MovePlan
from ambassador.model import Admin, Endpoint, Existing, Fate, Inet, Route
from ambassador.ports import RouteStatus

A, B, C = (Endpoint(Inet(f"db{name}", 6379)) for name in "abc")
REDIS = Route("redis", Inet("", 6379), (A, B))


def status(*endpoints, **open_at):
    route = replace(REDIS, endpoints=endpoints)
    there = {one.address: open_at.get(one.address.host, 0) for one in (A, B, C)}
    return RouteStatus(route, "relay", "", 0, 0, 0, 0, 0, open_by_endpoint=there)


def test_a_drain_says_how_many_are_open_until_when_and_whether_nobody_is_left():
    drained = replace(A, admin=Admin.DRAIN)
    found = [(REDIS, [A])]
    assert outcome.drain_begun(found, [status(drained, B, dba=10, dbb=5)], 60, 0.0) == (
        "10 open, until 1970-01-01 00:01:00 UTC",
        10,
    )
    assert outcome.drain_begun(found, [status(drained)], 0, 0.0) == (
        "0 open; no endpoint of redis takes new sessions now",
        0,
    )


def test_a_cut_at_a_rate_says_until_when():
    text = "100 sessions to cut, 10 a second, until 1970-01-01 00:00:10 UTC"
    assert outcome.cut_begun(100, 10, 0.0) == text


def test_a_move_says_what_stays_and_for_how_long():
    it = MovePlan(REDIS, (B, C), {}, {}, None, "redis moved", (B, C))
    now = status(B, C, dba=3, dbb=2)
    assert outcome.moved(it, now, kept=True) == ("3 sessions still at dba:6379 (existing: keep)",)
    cut = replace(it, existing=Existing(Fate.DRAIN, seconds=30))
    assert outcome.moved(cut, status(B, C, dba=1), kept=False) == (
        "1 session still at dba:6379 (existing: drain=30s)",
        "without AMBASSADOR_STATE it is so until the ambassador ends",
    )
    assert outcome.moved(it, status(B, C), kept=True) == ()


def test_a_move_that_is_checked_says_what_would_become_of_whom():
    it = MovePlan(REDIS, (B, C), {}, {}, None, "redis moved", (B, C))
    assert outcome.would_move(it) == ("redis would move to dbb:6379, dbc:6379; nothing has changed")
    now = status(A, B, dba=3, dbb=2)
    assert outcome.left_behind(it, now) == 3
    assert outcome.checked(it, now, ("kernel", ""), verified=True) == (
        "dbb:6379, dbc:6379 answer",
        "3 sessions at dba:6379 go on there (existing: keep)",
        "plane kernel for new sessions",
    )
    cut = replace(it, existing=Existing(Fate.CUT), asked=(C,))
    assert outcome.checked(cut, status(A, B, dba=1), ("relay", "why"), verified=True) == (
        "dbc:6379 answers",
        "1 session at dba:6379 is cut (existing: cut)",
        "plane relay (why) for new sessions",
    )
    assert outcome.checked(cut, status(A, B), ("relay", ""), verified=False) == (
        "whether the new endpoints answer was not asked",
        "no session is open at an endpoint that leaves",
        "plane relay for new sessions",
    )
