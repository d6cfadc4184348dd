import pytest

from ambassador.core.describe import describe, describe_endpoint, describe_listen, listed
from ambassador.model import Endpoint, Inet, Proto, Route, Unix

REDIS = Endpoint(Inet("192.168.1.52", 6379))


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        (REDIS, "192.168.1.52:6379"),
        (Endpoint(Inet("fd00::52", 6379)), "[fd00::52]:6379"),
        (Endpoint(Inet("db1", 7000, 7010)), "db1:7000-7010"),
        (Endpoint(Unix("/run/redis.sock")), "unix:///run/redis.sock"),
        (Endpoint(Inet("db2", 5432), backup=True), "db2:5432 (backup)"),
        (Endpoint(Inet("db2", 5432), weight=3), "db2:5432 (weight 3)"),
        (Endpoint(Inet("db2", 5432), weight=3, backup=True), "db2:5432 (weight 3, backup)"),
    ],
)
def test_an_endpoint_shows_what_makes_it_unlike_the_others(endpoint, text):
    assert describe_endpoint(endpoint) == text


@pytest.mark.parametrize(
    ("listen", "proto", "text"),
    [
        (Inet("", 6379), Proto.TCP, ":6379"),
        (Inet("", 53), Proto.UDP, ":53/udp"),
        (Inet("127.0.0.1", 7000, 7010), Proto.TCP, "127.0.0.1:7000-7010"),
        (Inet("::1", 53), Proto.UDP, "[::1]:53/udp"),
        (Unix("/run/a.sock"), Proto.TCP, "unix:///run/a.sock"),
    ],
)
def test_where_it_listens(listen, proto, text):
    assert describe_listen(Route("a", listen, (REDIS,), proto)) == text


def test_a_route_is_one_line():
    route = Route("redis", Inet("", 6379), (REDIS, Endpoint(Inet("spare", 6379), backup=True)))
    assert describe(route) == "redis  :6379 -> 192.168.1.52:6379, spare:6379 (backup)"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, ""),
        (1, "f0"),
        (10, "f0, f1, f2, f3, f4, f5, f6, f7, f8, f9"),
        (3000, "f0, f1, f2, f3, f4, f5, f6, f7, f8, f9 and 2,990 more"),
    ],
)
def test_of_thousands_the_first_ten_are_named(count, text):
    assert listed([f"f{number}" for number in range(count)]) == text
