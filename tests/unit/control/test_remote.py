"""What sources bring about that tell of changes themselves."""

from dataclasses import replace

import pytest

from ambassador.control.reconciler import Reconciler
from ambassador.errors import ConfigError, PlaneError, Problem, RunError
from ambassador.model import Endpoint, Inet, Route
from tests.planes import FakePlane
from tests.wishes import Wish

pytestmark = pytest.mark.asyncio
A, B = (Endpoint(Inet(f"10.0.0.{n}", 1)) for n in (1, 2))


class Far(Wish):
    def read(self):
        return replace(super().read(), yields=True)


def route(name, port, **more):
    return Route(name, Inet("", port), (A,), alias=name, origin=name, **more)


async def started(*sources, **more):
    plane = FakePlane()
    reconciler = Reconciler(sources, plane, **more)
    await reconciler.start()
    return reconciler


async def test_only_the_source_that_has_changed_is_read():
    local, far = Wish(route("a", 1), name="local"), Wish(route("b", 2), name="far")
    reconciler = await started(local, far)
    local.routes, far.routes = (), (route("c", 3),)
    await reconciler.remote.renew("far")
    assert [one.name for one in reconciler.routes] == ["a", "c"]


async def test_what_is_wrong_changes_nothing_and_is_said():
    far = Wish(route("b", 2), name="far")
    reconciler = await started(far)
    far.error = ConfigError(Problem("X", "is wrong"))
    with pytest.raises(ConfigError):
        await reconciler.remote.renew("far")
    assert [one.name for one in reconciler.routes] == ["b"]
    assert reconciler.sources[0].error == "X: is wrong"


async def test_a_source_far_away_gives_way_to_what_is_said_here():
    local, far = Wish(route("a", 1), name="local"), Far(route("b", 1), name="far")
    far.routes = (route("b", 1), route("c", 3))
    reconciler = await started(local, far)
    assert [one.name for one in reconciler.routes] == ["a", "c"]


async def test_all_routes_of_a_service_are_placed_in_one_step():
    there = [A]

    def placed(one):
        return replace(one, endpoints=tuple(there), placed=True) if one.service else one

    reconciler = await started(
        Wish(route("a", 1, service="s"), route("b", 2, service="s"), route("c", 3)), placed=placed
    )
    there[:] = [B]
    await reconciler.remote.place("s", "fleet", "why")
    assert [one.endpoints for one in reconciler.routes] == [(B,), (B,), (A,)]


async def test_what_is_stale_is_told_since_when_until_it_is_not():
    reconciler = await started(Wish(route("a", 1), name="etcd"))
    reconciler.remote.stale("etcd", "is away", 5.0, 3.0)
    (view,) = reconciler.sources
    assert (view.name, view.error, view.stale, view.read) == ("etcd", "is away", 5.0, 3.0)
    reconciler.remote.stale("other", "is wrong", 0.0, 0.0)
    assert [one.name for one in reconciler.sources] == ["etcd", "other"]
    reconciler.remote.stale("etcd", "", 0.0, 4.0)
    assert (reconciler.sources[0].error, reconciler.sources[0].stale) == ("", 0.0)


async def test_nothing_is_brought_about_before_the_start():
    reconciler = Reconciler([Wish(route("a", 1))], FakePlane())
    with pytest.raises(PlaneError):
        await reconciler.remote.place("s", "fleet", "why")
    with pytest.raises(RunError):
        await reconciler.remote.renew("wish")
