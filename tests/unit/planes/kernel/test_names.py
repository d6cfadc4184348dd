"""Names of endpoints, followed for the kernel's routes."""

import asyncio

from ambassador.model import Endpoint, Inet, Route
from ambassador.planes.kernel.names import Names
from ambassador.planes.kernel.route import KernelRoute
from tests.names import StaticResolver


def one(*hosts, refusal=""):
    endpoints = tuple(Endpoint(Inet(host, 7000)) for host in hosts)
    return KernelRoute(Route("redis", Inet("", 6379), endpoints), refusal)


def followed(*routes, resolver):
    changed = []
    names = Names(resolver, changed.append)

    async def body():
        await names.follow(routes)
        resolver.answer("db", "10.0.0.2")

    asyncio.run(body())
    return changed


def test_addresses_are_learnt_at_once_and_whenever_they_change():
    resolver, route = StaticResolver(db=["10.0.0.1"]), one("db", "10.0.0.9")
    assert followed(route, resolver=resolver) == [route, route]
    assert route.known["db"] == ("10.0.0.2",)
    assert resolver.watched == {"db"}  # a literal is not
    route.stop_watching()
    assert resolver.watched == set()


def test_what_is_known_already_is_no_change():
    resolver, route = StaticResolver(db=["10.0.0.2"]), one("db")
    assert followed(route, resolver=resolver) == [route]


def test_a_name_without_address_waits_for_its_watch():
    resolver, route = StaticResolver(), one("db")
    assert followed(route, resolver=resolver) == [route]
    assert route.known == {"db": ("10.0.0.2",)}


def test_a_silent_resolver_holds_nothing_up():
    resolver, route = StaticResolver(db=["10.0.0.1"]), one("db")

    async def body():
        speak = resolver.silence("db")
        await asyncio.wait_for(Names(resolver, lambda _: None).follow([route]), 5)
        assert route.known == {}
        speak()

    asyncio.run(body())


def test_names_of_a_route_that_the_relay_has_are_not_asked_for():
    resolver = StaticResolver(db=["10.0.0.1"])
    assert followed(one("db", refusal="no right to it"), resolver=resolver) == []
    assert (resolver.watched, resolver.asked) == (set(), [])
