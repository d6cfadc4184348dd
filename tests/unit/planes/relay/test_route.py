import pytest

from ambassador.model import Endpoint, Inet, Proto, Route, Unix
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.route import RelayRoute, addresses


def relay_route(listen, proto=Proto.TCP):
    state = LiveRoute(Route("redis", listen, (Endpoint(Inet("10.0.0.1", 1)),), proto=proto))
    return RelayRoute(state, [], None)


@pytest.mark.parametrize(
    ("listen", "address", "port", "comes"),
    [
        (Inet("", 6379), "127.0.0.1", 6379, True),
        (Inet("", 6379), "10.0.0.9", 6379, True),  # whether that is here, others ask
        (Inet("", 6379), "10.0.0.9", 6380, False),
        (Inet("", 6379, 6389), "10.0.0.9", 6380, True),
        (Inet("127.0.0.1", 6379), "127.0.0.1", 6379, True),
        (Inet("127.0.0.1", 6379), "0.0.0.0", 6379, True),
        (Inet("127.0.0.1", 6379), "127.0.0.2", 6379, False),
        (Inet("::1", 6379), "::", 6379, True),
        (Unix("/run/redis"), "/run/redis", 0, True),
        (Unix("/run/redis"), "/run/other", 0, False),
    ],
)
def test_who_connects_to_us_is_recognised(listen, address, port, comes):
    assert relay_route(listen).listens(address, port) is comes


def test_a_range_is_an_address_a_port_and_a_path_is_one():
    route = relay_route(Inet("::", 7000, 7002)).live.route
    assert addresses(route) == [Inet("::", port) for port in (7000, 7001, 7002)]
    assert addresses(relay_route(Unix("/run/redis")).live.route) == [Unix("/run/redis")]


def test_flows_of_datagrams_are_not_waited_for():
    for proto, count in ((Proto.TCP, 3), (Proto.UDP, 0)):
        one = relay_route(Inet("", 53), proto)
        one.live.counters.open = 3
        assert one.open == count
        assert one.live.route.key == (proto, Inet("", 53))
        assert one.sessions == []
