"""Which routes cannot both listen: found by a sweep, compared with asking about each pair."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from ambassador.core.merge import collisions, overlap
from ambassador.model import Endpoint, Inet, Proto, Route, Unix

HOSTS = ("", "::", "0.0.0.0", "10.0.0.1", "::ffff:10.0.0.1", "fd00::1")


@st.composite
def ranges(draw):
    first = draw(st.integers(1, 30))
    last = draw(st.integers(first, 40))
    return Inet(draw(st.sampled_from(HOSTS)), first, last if last > first else 0)


listens = ranges() | st.sampled_from("abc").map(lambda name: Unix(f"/{name}"))
routes = st.builds(
    Route,
    name=st.just("redis"),
    listen=listens,
    endpoints=st.just((Endpoint(Inet("db", 1)),)),
    proto=st.sampled_from(Proto),
)


@given(st.lists(routes, max_size=12))
def test_every_pair_that_collides_is_found_in_the_order_written(routes):
    assert collisions(routes) == [
        (first, second)
        for first, second in combinations(routes, 2)
        if first.proto is second.proto and overlap(first.listen, second.listen)
    ]


def test_many_routes_are_not_compared_each_with_each(monkeypatch):
    asked = []
    monkeypatch.setattr("ambassador.core.merge.overlap", lambda *pair: asked.append(pair))
    endpoint = (Endpoint(Inet("db", 1)),)
    many = [Route(f"r{port}", Inet("", port), endpoint) for port in range(1, 5001)]
    assert collisions(many) == []
    assert len(asked) == 0
