"""Whatever is wished for over whatever is desired: only what a wish speaks of is touched."""

from hypothesis import given
from hypothesis import strategies as st

from ambassador.core.wish import Wish, effective, without
from ambassador.model import Admin, Desired, Endpoint, Hold, Inet, Proto, Route

addresses = st.builds(Inet, st.sampled_from(["dba", "dbb", "dbc"]), st.just(1))
endpoints = st.lists(addresses, min_size=1, max_size=3, unique=True).map(
    lambda found: tuple(Endpoint(address) for address in found)
)


def route(port, ends):
    return Route(f"r{port}", Inet("", port), ends, alias=f"r{port}", port=port)


desired = st.dictionaries(st.integers(1, 5), endpoints, max_size=5).map(
    lambda found: Desired(tuple(route(port, ends) for port, ends in found.items()))
)


@st.composite
def wish(draw):
    port = draw(st.integers(1, 7))
    return Wish(
        Proto.TCP,
        Inet("", port),
        f"r{port}",
        endpoints=draw(st.none() | endpoints),
        admin=tuple(draw(st.dictionaries(addresses, st.sampled_from(Admin))).items()),
        hold=draw(st.none() | st.builds(Hold)),
        added=draw(st.none() | endpoints.map(lambda ends: route(port, ends))),
        removed=draw(st.booleans()),
    )


wishes = st.lists(wish(), max_size=6).map(lambda found: {one.key: one for one in found})


@given(desired, wishes)
def test_routes_without_a_wish_are_as_the_sources_say(desired, wishes):
    after = {one.key: one for one in effective(desired, wishes).routes}
    for one in desired.routes:
        if one.key not in wishes:
            assert after[one.key] == one


@given(desired, wishes)
def test_every_wish_is_obeyed(desired, wishes):
    before = {one.key: one for one in desired.routes}
    after = {one.key: one for one in effective(desired, wishes).routes}
    for key, wish in wishes.items():
        there = key in before or wish.added is not None
        assert (key in after) is (there and not wish.removed)
        if key not in after:
            continue
        found, former = after[key], before.get(key) or wish.added
        expected = former.endpoints if wish.endpoints is None else wish.endpoints
        assert [e.address for e in found.endpoints] == [e.address for e in expected]
        admin = dict(wish.admin)
        assert all(e.admin is admin.get(e.address, Admin.READY) for e in found.endpoints)
        assert found.hold == wish.hold


@given(desired, wishes)
def test_what_is_forgotten_leaves_nothing_behind(desired, wishes):
    assert effective(desired, without(wishes, wishes)) == effective(desired, {}) == desired


@given(desired, wishes)
def test_twice_is_once(desired, wishes):
    once = effective(desired, wishes)
    again = {key: wish for key, wish in wishes.items() if wish.added is None}
    assert effective(once, again) == once
