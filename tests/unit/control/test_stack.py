"""Planes in front of each other, as one."""

import asyncio
from dataclasses import replace

import pytest

from ambassador.control.stack import PlaneStack, _joined
from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute
from ambassador.errors import PlaneError
from ambassador.model import Endpoint, Inet, Reason, Route
from ambassador.ports import EndpointMet, RouteStatus, SessionStatus
from tests.planes import FakePlane

ENDS = (Endpoint(Inet("db", 1)),)
A, B, C = (Route(name, Inet("", port), ENDS) for name, port in (("a", 1), ("b", 2), ("c", 3)))


def session(name, route=A):
    return SessionStatus(name, route, "10.0.0.1:1", ENDS[0], "10.0.0.2:1", 1.0, 0, 0, "x", "open")


@pytest.fixture
def planes():
    kernel = FakePlane("kernel", open=1, opened=1, closed={Reason.CUT: 2})
    return FakePlane("relay", open=2, opened=5, held=1), kernel


@pytest.fixture
def layered(planes):
    return PlaneStack(planes[0], planes[1:])


def apply(layered, *steps):
    asyncio.run(layered.apply(steps))


def test_what_comes_is_behind_first_and_what_goes_leaves_the_front_first(planes, layered):
    order = []
    for plane in planes:
        applying = plane.apply

        async def apply_and_note(steps, plane=plane, applying=applying):
            order.append((plane.name, [type(step).__name__ for step in steps]))
            await applying(steps)

        plane.apply = apply_and_note
    apply(layered, AddRoute(A))
    order.clear()
    apply(layered, RemoveRoute(A), AddRoute(B))
    assert order == [
        ("kernel", ["RemoveRoute"]),
        ("relay", ["RemoveRoute", "AddRoute"]),
        ("kernel", ["AddRoute"]),
    ]


@pytest.mark.parametrize("failing", [0, 1])
def test_one_that_fails_and_all_is_as_it_was(planes, layered, failing):
    apply(layered, AddRoute(A), AddRoute(B))
    before = [dict(plane.routes) for plane in planes]
    # The front is asked twice: for what goes, then for what comes.
    planes[failing].failures = [None, PlaneError("no")][1 - failing :]
    with pytest.raises(PlaneError, match="no"):
        apply(layered, RemoveRoute(A), ChangeRoute(B, Route("d", B.listen, ENDS)), AddRoute(C))
    assert [plane.routes for plane in planes] == before


def test_numbers_are_those_of_all_and_the_word_is_the_front_s(layered):
    apply(layered, AddRoute(A))
    (status,) = layered.status()
    assert (status.plane, status.why) == ("kernel", "kernel!")
    assert (status.open, status.opened, status.held) == (3, 6, 1)
    assert status.closed == {Reason.CUT: 2}


def test_a_route_that_only_one_plane_knows_yet_is_told(planes, layered):
    apply(layered, AddRoute(A))
    planes[0].routes[B.proto, B.listen] = B
    assert [(one.route.name, one.plane) for one in layered.status()] == [
        ("a", "kernel"),
        ("b", "relay"),
    ]


@pytest.mark.parametrize("failing", [False, True])
def test_a_reader_meets_what_was_until_all_planes_have_it(planes, layered, failing):
    apply(layered, AddRoute(A), AddRoute(B))
    d = Route("d", B.listen, ENDS)
    seen = []

    def read():
        every = [(one.route.name, one.plane) for one in layered.status()]
        some = [one.route.name for one in layered.status([A, C])]
        seen.append((sorted(every), some))

    for plane in planes:
        applying = plane.apply

        async def read_and_apply(steps, applying=applying):
            read()
            await applying(steps)
            read()

        plane.apply = read_and_apply
    if failing:
        planes[1].failures = [None, PlaneError("no")]
        with pytest.raises(PlaneError):
            apply(layered, RemoveRoute(A), ChangeRoute(B, d), AddRoute(C))
    else:
        apply(layered, RemoveRoute(A), ChangeRoute(B, d), AddRoute(C))
    assert len(seen) > 5
    assert set(map(repr, seen)) == {repr(([("a", "kernel"), ("b", "kernel")], ["a"]))}
    after = [one.route.name for one in layered.status()]
    assert sorted(after) == (["a", "b"] if failing else ["c", "d"])


def test_sessions_are_listed_and_cut_wherever_they_are(planes, layered):
    planes[0].open, planes[1].open = [session("r1"), session("r2", B)], [session("k1")]
    assert [one.id for one in asyncio.run(layered.sessions())] == ["r1", "r2", "k1"]
    assert [one.id for one in asyncio.run(layered.sessions([A]))] == ["r1", "k1"]
    assert asyncio.run(layered.cut({"r1", "k1", "gone"}, Reason.CUT)) == 2
    assert asyncio.run(layered.drain(1.0)) == 1


def test_what_one_plane_cannot_cut_is_said_and_keeps_no_other_from_it(planes, layered):
    async def fails(ids, reason):
        raise PlaneError("1 of 1 sessions are cut, but not told")

    planes[0].open = [session("r1")]
    planes[1].cut = fails
    with pytest.raises(PlaneError, match="not told"):
        asyncio.run(layered.cut({"r1", "k1"}, Reason.CUT))
    assert planes[0].cuts == [("r1", Reason.CUT)]


def test_what_no_plane_could_tell_is_told_of_all(planes, layered):
    assert asyncio.run(layered.untold({"k1"})) == ""

    async def untold(ids):
        return f"{len(ids)} not told"

    planes[1].untold = untold
    assert asyncio.run(layered.untold({"k1"})) == "1 not told"


def test_the_plane_in_front_is_foreseen_unless_something_keeps_the_route_out(planes, layered):
    planes[1].hindrance = lambda route: ""
    assert layered.foreseen(A) == (planes[1].name, "")
    planes[1].hindrance = lambda route: "it listens on a unix socket"
    assert layered.foreseen(A) == (planes[0].name, "it listens on a unix socket")


def test_a_plane_that_cannot_measure_is_passed_over(planes, layered, caplog):
    planes[1].measure_error = PlaneError("conntrack is gone")
    asyncio.run(layered.measure())
    assert [record.event for record in caplog.records] == ["not_measured"]


def test_its_name_is_that_of_all(layered):
    assert layered.name == "relay+kernel"


def test_what_was_met_at_an_endpoint_is_the_sum_and_the_reason_the_latest():
    address = Inet("db", 1)
    behind = EndpointMet(1, 2, 3, 4, error="before", failed=5.0)
    ahead = EndpointMet(10, 20, 30, 40, error="now", failed=6.0, failing=True)
    zero = RouteStatus(A, "relay", "", 0, 0, 0, 0, 0)
    one, other = (
        replace(zero, met={address: met}, ways_out=ways)
        for met, ways in ((behind, {"rst": 1}), (ahead, {"rst": 2, "none": 3}))
    )
    joined = _joined(one, other)
    assert joined.met == {
        address: EndpointMet(11, 22, 33, 44, error="now", failed=6.0, failing=True)
    }
    assert joined.ways_out == {"rst": 3, "none": 3}
    assert _joined(one, zero).met == one.met
    assert _joined(zero, other).met == other.met


def test_each_front_is_fenced_until_it_is_released(planes, layered):
    end = layered.fence(A)
    assert [one.fenced for one in planes] == [[], [A.name], *([A.name] for _ in planes[2:])]
    end()
    assert not any(one.fenced for one in planes)
