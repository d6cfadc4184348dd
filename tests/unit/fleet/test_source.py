"""Whole routes from etcd, as they are known."""

from ambassador.fleet.source import FleetSource
from ambassador.model import Inet, Route


def test_it_says_the_routes_it_was_given_last():
    source = FleetSource()
    assert source.read().routes == ()
    source.routes = (Route("a", Inet("", 1), ()),)
    assert source.read().routes == source.routes
    assert (source.name, source.guess, source.read().yields) == ("etcd", False, True)
