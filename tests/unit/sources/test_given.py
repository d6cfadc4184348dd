"""Routes listen where a socket of their name does."""

import pytest

from ambassador.model import Endpoint, Inet, Proto, Route
from ambassador.sources.given import GivenSource
from tests.wishes import Wish

PLACE = Inet("127.0.0.1", 7000)


def listens(route: Route, name: str = "db", proto: Proto = Proto.TCP):
    (found,) = GivenSource(Wish(route), {(proto, name): PLACE}).read().routes
    return found.listen


def route(**options) -> Route:
    options = {"name": "db", "listen": Inet("", 5432), **options}
    return Route(endpoints=(Endpoint(Inet("a", 1)),), **options)


def test_the_one_of_its_name_does():
    assert listens(route()) == PLACE


@pytest.mark.parametrize("name", ["web", "db-5432"])
def test_another_does_not(name):
    assert listens(route(), name) == Inet("", 5432)


def test_one_of_another_protocol_does_not():
    assert listens(route(), proto=Proto.UDP) == Inet("", 5432)


def test_a_range_cannot():
    assert listens(route(listen=Inet("", 5432, 5440))) == Inet("", 5432, 5440)


def test_it_is_the_same_source():
    source = Wish(route())
    given = GivenSource(source, {})
    assert (given.name, given.guess) == (source.name, source.guess)
    assert given.read() == source.read()
