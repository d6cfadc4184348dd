"""A file of networks that has changed."""

import asyncio

from ambassador.control.apply import Applier
from ambassador.control.networks import renew
from ambassador.control.snapshots import SnapshotReader
from ambassador.core.admission import admits
from ambassador.model import Desired, Endpoint, Inet, Route
from ambassador.sources.networks import NetworkLists
from tests.planes import FakePlane


def test_the_routes_that_name_it_change_and_a_bad_one_is_told_of_until_it_is_good(tmp_path):
    path = tmp_path / "allow"
    path.write_text("10.0.0.0/8\n")
    endpoint = Endpoint(Inet("a", 1))
    listed = Route("redis", Inet("", 6379), (endpoint,), allow=(f"@{path}",))
    other = Route("db", Inet("", 5432), (endpoint,))
    lists, plane, snapshots = NetworkLists(), FakePlane(), SnapshotReader(())

    async def body():
        applier = Applier(plane, None, admission=lists)
        await applier.source(Desired((listed, other)), "start")
        before = len(plane.steps)
        path.write_text("fd00::/8\n")
        await renew(str(path), lists, applier, snapshots)
        (step,) = plane.steps[before:]
        assert admits(step.new.admitted, "fd00::1")
        assert not admits(step.new.admitted, "10.0.0.1")
        path.write_text("nobody\n")
        await renew(str(path), lists, applier, snapshots)
        (view,) = snapshots.views
        assert view.name == f"networks {path}"
        assert '"nobody" is no network' in view.error
        assert admits(applier.routes[0].admitted, "fd00::1")
        path.write_text("10.0.0.0/8\n")
        await renew(str(path), lists, applier, snapshots)
        assert snapshots.views == ()
        assert admits(applier.routes[0].admitted, "10.0.0.1")

    asyncio.run(body())
