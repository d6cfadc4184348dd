"""Which routes the kernel plane has."""

import pytest

from ambassador.model import Endpoint, Inet, Route
from ambassador.planes.kernel.registry import Registry
from ambassador.planes.kernel.route import KernelRoute

END = (Endpoint(Inet("10.0.0.1", 7000)),)


@pytest.fixture
def registry():
    return Registry()


def one(name, host="", port=6379, last=0):
    return KernelRoute(Route(name, Inet(host, port, last), END))


def test_a_route_is_found_by_key_name_and_each_of_its_ports(registry):
    redis = one("redis", port=6379, last=6380)
    registry.swap([], [redis])
    assert registry.get(redis.route.key) is registry.named("redis") is registry.of(redis.route)
    assert [list(registry.of_port(port)) for port in redis.ports] == [[redis], [redis]]
    assert redis in registry
    assert list(registry.all) == list(registry.some([redis.route])) == [redis]


def test_nothing_is_left_of_a_route_that_has_gone(registry):
    redis = one("redis")
    registry.swap([], [redis])
    registry.swap([redis], [])
    assert (registry.get(redis.route.key), registry.named("redis")) == (None, None)
    assert (list(registry.of_port(redis.ports[0])), list(registry.all)) == ([], [])
    assert list(registry.some([redis.route])) == []
    assert redis not in registry
    with pytest.raises(KeyError):
        registry.of(redis.route)


def test_one_that_was_replaced_is_not_taken_for_its_successor(registry):
    redis = one("redis")
    registry.swap([], [redis])
    other = redis.successor(redis.route, None)
    registry.swap([redis], [other])
    assert redis not in registry
    assert other in registry
    assert list(registry.of_port(redis.ports[0])) == [other]


def test_routes_on_one_port_of_several_addresses_are_in_each_others_way(registry):
    first, second, third = one("a", "10.0.0.9"), one("b", "10.0.0.8"), one("c", port=1)
    registry.swap([], [first, second, third])
    assert registry.crowd(first) == "b listens on port 6379 of another address"
    assert registry.crowd(second) == "a listens on port 6379 of another address"
    assert registry.crowd(third) == ""
    assert registry.neighbours([first]) == {first, second}
    registry.swap([second], [])
    assert registry.crowd(first) == ""


def test_all_are_forgotten_at_once(registry):
    redis = one("redis")
    registry.swap([], [redis])
    registry.clear()
    assert (list(registry.all), registry.named("redis")) == ([], None)
    assert list(registry.of_port(redis.ports[0])) == []
