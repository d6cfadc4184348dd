"""What ports.Plane promises of routes and sessions, of each plane (ports.Earlier, stacks and fakes
included). How a plane that listens carries traffic stands in test_plane.py, for both planes in
tests/conformance.
"""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from ambassador.control.stack import PlaneStack
from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute
from ambassador.handover.counters import HandedCounters
from ambassador.handover.plane import EarlierPlane
from ambassador.model import Endpoint, Inet, Pick, Reason, Route
from ambassador.planes.kernel.plane import KernelPlane
from ambassador.planes.kernel.privilege import look
from ambassador.planes.relay.plane import RelayPlane
from ambassador.ports import Plane, SessionStatus
from tests.loops import LoopThread
from tests.names import StaticResolver
from tests.netns import Namespace
from tests.planes import FakePlane

ROUTES = [
    Route(name, Inet("", 16000 + place), (Endpoint(Inet("10.0.0.9", 5432)),))
    for place, name in enumerate(("c", "a", "b"))
]


def sessions_of(route: Route, *names: str) -> list[SessionStatus]:
    (endpoint,) = route.endpoints
    return [
        SessionStatus(name, route, "h:1", endpoint, "10.0.0.9:5432", 2.0, 3, 4, "fake", "open")
        for name in names
    ]


class Scene:
    """A plane, and what to do so that it has sessions (None: not without clients)."""

    def __init__(self) -> None:
        self.resolver = StaticResolver()
        self.plane: Plane
        self.holder: FakePlane | None = None  # has the sessions

    async def begin(self) -> None:
        pass

    async def end(self) -> None:
        pass


class Fake(Scene):
    async def begin(self):
        self.plane = self.holder = FakePlane()


class Relay(Scene):
    async def begin(self):
        self.plane = RelayPlane(self.resolver, buffer=65536, backlog=16)

    async def end(self):
        self.plane.close()


class Kernel(Scene):
    async def begin(self):
        self.plane = KernelPlane(self.resolver, look(), demanded=False, keep_rules=False)

    async def end(self):
        await self.plane.close()


class Earlier(Scene):
    """An earlier process at the other end of a connection that knows nothing of these routes."""

    async def begin(self):
        self.here, self.there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.plane = EarlierPlane(self.resolver)
        live = {route.key: {"opened": 1.0} for route in ROUTES}
        self.plane.take_over(HandedCounters(live=live), self.here, [])

    async def end(self):
        self.there.close()
        await self.plane.close()


class Stack(Scene):
    """A plane with another in front of it and an earlier one behind it."""

    async def begin(self):
        self.holder, front = FakePlane("relay"), FakePlane("kernel")
        self.plane = PlaneStack(self.holder, [front], EarlierPlane(self.resolver))


SCENES = [
    pytest.param(Kernel, marks=pytest.mark.root) if one is Kernel else one
    for one in (Relay, Kernel, Stack, Earlier, Fake)
]


@pytest.fixture(scope="module")
def namespace():
    return Namespace()


@pytest.fixture
def run(request):
    """Run a test's coroutine with each kind of plane, in a namespace where that touches tables."""

    def running(kind, test):
        here = request.getfixturevalue("namespace") if kind is Kernel else None
        loop = LoopThread(here)

        async def main():
            scene = kind()
            await scene.begin()
            try:
                await test(scene)
            finally:
                await scene.end()

        try:
            loop.do(main())
        finally:
            loop.close()

    return running


async def perform(plane, *steps):
    await plane.prepare(steps)
    await plane.apply(steps)


def routes(plane, *some):
    return [status.route for status in plane.status(*some)]


@pytest.mark.parametrize("kind", SCENES)
def test_it_has_a_name_and_nothing_else_before_a_route_comes(run, kind):
    async def test(scene):
        assert scene.plane.name
        await perform(scene.plane)
        assert (routes(scene.plane), list(await scene.plane.sessions())) == ([], [])

    run(kind, test)


@pytest.mark.parametrize("kind", SCENES)
def test_to_prepare_changes_nothing(run, kind):
    async def test(scene):
        await scene.plane.prepare([AddRoute(ROUTES[0])])
        assert routes(scene.plane) == []

    run(kind, test)


@pytest.mark.parametrize("kind", SCENES)
def test_routes_are_reported_in_the_order_they_came_and_those_it_lacks_left_out(run, kind):
    async def test(scene):
        first, second, absent = ROUTES
        await perform(scene.plane, AddRoute(first))
        await perform(scene.plane, AddRoute(second))
        assert routes(scene.plane) == [first, second]
        # `status` of an earlier process speaks of whatever it has counted.
        if kind is not Earlier:
            assert routes(scene.plane, [absent, second]) == [second]
        assert list(await scene.plane.sessions([absent])) == []
        await perform(scene.plane, RemoveRoute(first), RemoveRoute(second))

    run(kind, test)


@pytest.mark.parametrize("kind", SCENES)
def test_a_change_is_of_the_same_route_and_a_removal_the_end_of_it(run, kind):
    async def test(scene):
        old = ROUTES[0]
        new = replace(old, name="other", pick=Pick.LEAST)
        await perform(scene.plane, AddRoute(old))
        await perform(scene.plane, ChangeRoute(old, new))
        assert routes(scene.plane) == [new]
        await perform(scene.plane, RemoveRoute(new))
        assert routes(scene.plane) == []

    run(kind, test)


@pytest.mark.parametrize("kind", SCENES)
def test_numbers_are_brought_up_to_date_without_a_change_of_routes(run, kind):
    async def test(scene):
        if kind is Earlier:
            scene.there.close()  # it does not answer: what was known last stands
        await perform(scene.plane, AddRoute(ROUTES[0]))
        before = scene.plane.status()
        await scene.plane.measure()
        assert [one.route for one in scene.plane.status()] == [one.route for one in before]
        assert all(one.open >= 0 and one.opened >= one.open for one in scene.plane.status())
        await perform(scene.plane, RemoveRoute(ROUTES[0]))

    run(kind, test)


@pytest.mark.parametrize("kind", SCENES)
def test_ids_it_does_not_know_are_passed_over(run, kind):
    async def test(scene):
        await perform(scene.plane, AddRoute(ROUTES[0]))
        assert await scene.plane.cut(["r1.1", "1@2", ""], Reason.CUT) == 0
        assert await scene.plane.cut([], Reason.CUT) == 0
        await perform(scene.plane, RemoveRoute(ROUTES[0]))

    run(kind, test)


@pytest.mark.parametrize("kind", [Fake, Stack])
def test_a_cut_ends_the_sessions_of_these_ids_and_counts_them(run, kind):
    async def test(scene):
        await perform(scene.plane, *map(AddRoute, ROUTES[:2]))
        scene.holder.open = sessions_of(ROUTES[0], "1", "2") + sessions_of(ROUTES[1], "3")
        assert [one.id for one in await scene.plane.sessions([ROUTES[0]])] == ["1", "2"]
        assert await scene.plane.cut({"2", "3", "4"}, Reason.MOVED) == 2
        assert [one.id for one in await scene.plane.sessions()] == ["1"]

    run(kind, test)


@pytest.mark.parametrize("kind", SCENES)
def test_a_drain_without_sessions_is_over_at_once(run, kind):
    async def test(scene):
        await perform(scene.plane, AddRoute(ROUTES[0]))
        assert await scene.plane.drain(30) == 0

    run(kind, test)


@pytest.mark.parametrize("kind", [Fake, Stack])
def test_a_drain_cuts_what_is_left_and_counts_it(run, kind):
    async def test(scene):
        await perform(scene.plane, AddRoute(ROUTES[0]))
        scene.holder.open = sessions_of(ROUTES[0], "1", "2")
        assert await scene.plane.drain(0) == 2
        assert list(await scene.plane.sessions()) == []

    run(kind, test)


@pytest.mark.parametrize("kind", [one for one in SCENES if one not in (Relay, Earlier)])
def test_of_sessions_it_never_had_a_plane_in_front_has_nothing_to_say(run, kind):
    """See ports.Front: what it says is of sessions that were cut and not told."""

    async def test(scene):
        await perform(scene.plane, AddRoute(ROUTES[0]))
        assert await scene.plane.untold({"r1.1", "k17"}) == ""
        assert await scene.plane.untold(set()) == ""
        await perform(scene.plane, RemoveRoute(ROUTES[0]))

    run(kind, test)
