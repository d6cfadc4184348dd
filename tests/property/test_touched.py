"""Looking only at what a change is about comes to the same as looking at everything."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ambassador.control.apply import Applier
from ambassador.core.wish import Wish, effective, judged
from ambassador.errors import ConfigError
from ambassador.model import Admin, Desired, Endpoint, Finding, Health, Hold, Inet, Route
from tests.planes import FakePlane

ENDS = [Endpoint(Inet(host, port)) for host in ("a", "b", "127.0.0.1") for port in (1, 2)]
ROUTES = [Route(f"r{n}", Inet("", n), (ENDS[0], ENDS[2]), alias="r", port=n) for n in range(1, 5)]

ends = st.lists(st.sampled_from(ENDS), min_size=1, max_size=3, unique=True).map(tuple)
routes = st.sampled_from(ROUTES)


@st.composite
def wishes(draw: st.DrawFn) -> Mapping:
    found = {}
    for route in draw(st.lists(routes, unique_by=lambda route: route.key)):
        wish = Wish(
            *route.key,
            route.name,
            endpoints=draw(st.none() | ends),
            admin=tuple((end.address, draw(st.sampled_from(list(Admin)))) for end in draw(ends)),
            hold=draw(st.none() | st.just(Hold())),
            added=draw(st.none() | ends.map(lambda e, r=route: replace(r, endpoints=e))),
            removed=draw(st.booleans()),
        )
        found[wish.key] = wish
    return found


desired = st.lists(routes, unique_by=lambda route: route.key).map(
    lambda found: Desired(tuple(found))
)
verdicts = st.tuples(routes, st.sampled_from(ENDS), st.sampled_from(list(Health)))
acts = st.lists(desired | wishes() | verdicts, min_size=1, max_size=8)


@given(acts)
def test_it_comes_to_the_same(acts):
    async def lead():
        plane = FakePlane()
        leading = Applier(plane, None)
        for act in acts:
            before = leading.routes
            try:
                if isinstance(act, Desired):
                    await leading.source(act, "source")
                elif isinstance(act, Mapping):
                    leading.check(act)
                    await leading.wish(act, "ann", "wish")
                elif leading.has(act[0].key, act[1].address):
                    await leading.judge({(act[0].key, act[1].address): Finding(act[2])})
            except ConfigError:
                assert leading.routes == before
            whole = judged(effective(leading.desired, leading.wishes), leading.verdicts)
            assert leading.routes == whole.routes
            assert list(plane.routes.values()) == [
                next(one for one in leading.routes if one.key == key) for key in plane.routes
            ]
            assert len(plane.routes) == len(leading.routes)

    asyncio.run(lead())
