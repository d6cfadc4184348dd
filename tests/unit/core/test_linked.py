"""The endpoint of a link is its alias where /etc/hosts knows it."""

from ambassador.core.hostsfile import parse_hosts
from ambassador.core.linked import by_alias
from ambassador.model import Endpoint, Inet, Route, Unix

HOSTS = parse_hosts("127.0.0.1 localhost\n172.17.0.2\tMy-Redis 3f2a9c0d1e2f real\n10.0.0.9 db\n")


def route(alias, *hosts):
    endpoints = tuple(Endpoint(Inet(host, 6379)) for host in hosts)
    return Route(alias, Inet("", 6379), endpoints, alias=alias)


def test_an_address_that_the_hosts_file_calls_by_the_alias_becomes_the_alias():
    assert by_alias(route("my_redis", "172.17.0.2"), HOSTS) == route("my_redis", "My-Redis")


def test_an_address_the_alias_does_not_stand_for_stays():
    for alias, host in (("my_redis", "172.17.0.3"), ("db", "172.17.0.2"), ("other", "10.0.0.9")):
        assert by_alias(route(alias, host), HOSTS) == route(alias, host)


def test_each_endpoint_is_looked_at_by_itself():
    given = route("db", "10.0.0.9", "10.0.0.10")
    assert by_alias(given, HOSTS) == route("db", "db", "10.0.0.10")
    path = Route("db", Inet("", 1), (Endpoint(Unix("/run/db")),), alias="db")
    assert by_alias(path, HOSTS) == path
