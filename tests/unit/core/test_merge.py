import pytest

from ambassador.core.merge import merge, overlap
from ambassador.errors import ConfigError
from ambassador.model import Endpoint, Inet, Proto, Route, Snapshot, Unix
from ambassador.spec import parse_endpoint, parse_listen


def route(alias, listen, endpoint="tcp://elsewhere:1", port=1):
    address, end = parse_listen(listen), parse_endpoint(endpoint)
    return Route(
        alias, address, (end,), end.proto, alias=alias, port=port, origin=f"variable {alias}"
    )


def merged(*routes):
    return merge([Snapshot("environment", routes)]).routes


def problems(*routes):
    with pytest.raises(ConfigError) as raised:
        merged(*routes)
    return raised.value.problems


def test_routes_of_all_sources_are_there_in_order():
    first = Snapshot("environment", (route("a", ":1"), route("b", ":2")))
    second = Snapshot("hosts", (route("a", ":3", port=3),))
    assert [r.name for r in merge([first, second]).routes] == ["a-1", "b", "a-3"]


def test_nothing_merges_to_nothing():
    assert merge([]).routes == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (":6379", ":6379"),
        (":6379", "127.0.0.1:6379"),
        (":6379", "[::1]:6379"),
        (":6379", "0.0.0.0:6379"),
        ("[::]:6379", "0.0.0.0:6379"),
        ("[::]:6379", "127.0.0.1:6379"),
        ("[::]:6379", "[::1]:6379"),
        ("0.0.0.0:6379", "127.0.0.1:6379"),
        ("0.0.0.0:6379", "[::ffff:10.0.0.1]:6379"),
        ("127.0.0.1:6379", "127.0.0.1:6379"),
        ("127.0.0.1:6379", "[::ffff:127.0.0.1]:6379"),
        ("127.0.0.1:6379", "localhost:6379"),
        (":7000-7003", ":7003"),
        (":7000-7003", "127.0.0.1:7003-7009"),
        (":7000-7009", ":7003-7004"),
        ("unix:///run/a", "unix:///run/a"),
    ],
)
def test_addresses_overlap_whichever_comes_first(one, other):
    first, second = parse_listen(one), parse_listen(other)
    assert overlap(first, second)
    assert overlap(second, first)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (":6379", ":6380"),
        ("127.0.0.1:6379", "127.0.0.2:6379"),
        ("127.0.0.1:6379", "[::1]:6379"),
        ("0.0.0.0:6379", "[::1]:6379"),
        (":7000-7003", ":7004-7005"),
        ("unix:///run/a", "unix:///run/b"),
        ("unix:///run/a", ":1"),
    ],
)
def test_addresses_do_not_overlap_whichever_comes_first(one, other):
    first, second = parse_listen(one), parse_listen(other)
    assert not overlap(first, second)
    assert not overlap(second, first)


def test_one_listen_address_twice_names_both_origins_and_a_way_out():
    (problem,) = problems(route("a", ":6379"), route("b", "127.0.0.1:6379"))
    assert problem.where == "variable b"
    assert problem.what == "listens on 127.0.0.1:6379, which belongs to variable a (:6379)"
    assert problem.example == "B_PORT_1_TCP_LISTEN=127.0.0.1:6380"


def test_the_way_out_is_free():
    (problem,) = problems(route("a", ":1-4"), route("b", ":2-3"), route("c", ":5"))
    assert problem.example == "B_PORT_1_TCP_LISTEN=:6-7"
    (problem,) = problems(route("a", ":65535"), route("b", ":65535"))
    assert problem.example == "B_PORT_1_TCP_LISTEN=:1024"
    (problem,) = problems(route("a", "unix:///x"), route("b", "unix:///x"))
    assert problem.example == "B_PORT_1_TCP_LISTEN=unix:///x.2"


def test_there_may_be_no_way_out():
    (problem,) = problems(route("a", ":1-65535"), route("b", ":1-65535"))
    assert problem.example == ""


def test_without_a_variable_there_is_no_line_to_type():
    (problem,) = problems(route("a", ":1", port=0), route("b", ":1", port=0))
    assert problem.example == ""


def test_every_pair_is_named():
    assert len(problems(route("a", ":1"), route("b", ":1"), route("c", ":1"))) == 3


def test_tcp_and_udp_share_a_port():
    assert len(merged(route("a", ":53"), route("a", ":53", "udp://h:53"))) == 2


@pytest.mark.parametrize(
    ("listen", "endpoint"),
    [
        (":6379", "tcp://127.0.0.1:6379"),
        (":6379", "tcp://localhost:6379"),
        (":6379", "tcp://[::1]:6379"),
        (":6379", "tcp://0.0.0.0:6379"),
        (":53", "udp://127.0.0.1:53"),
        ("0.0.0.0:6379", "tcp://127.0.0.1:6379"),
        ("127.0.0.1:6379", "tcp://localhost:6379"),
        ("192.168.1.52:6379", "tcp://192.168.1.52:6379"),
        (":7000-7001", "tcp://127.0.0.1:7000-7001"),
        ("unix:///run/a", "unix:///run/a"),
    ],
)
def test_a_route_that_leads_back_to_itself_is_an_error(listen, endpoint):
    (problem,) = problems(route("a", listen, endpoint))
    assert "is where it listens itself" in problem.what
    assert problem.example.startswith("A_PORT_1_")


@pytest.mark.parametrize(
    ("listen", "endpoint"),
    [
        (":6380", "tcp://127.0.0.1:6379"),
        (":6379", "tcp://192.168.1.52:6379"),
        (":6379", "tcp://redis:6379"),
        ("0.0.0.0:6379", "tcp://[::1]:6379"),
        ("127.0.0.2:6379", "tcp://127.0.0.1:6379"),
        ("unix:///run/a", "tcp://127.0.0.1:6379"),
        ("127.0.0.1:6379", "unix:///run/redis.sock"),
    ],
)
def test_a_route_that_leads_elsewhere_is_none(listen, endpoint):
    assert len(merged(route("a", listen, endpoint))) == 1


def test_a_second_endpoint_is_checked_too():
    ends = (Endpoint(Inet("h", 1)), Endpoint(Inet("127.0.0.1", 1)))
    assert len(problems(Route("a", Inet("", 1), ends, Proto.TCP, port=1))) == 1
    assert overlap(Unix("/a"), Unix("/a"))
