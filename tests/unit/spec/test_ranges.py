import pytest

from ambassador.errors import ConfigError
from ambassador.model import Inet
from ambassador.spec import parse_variable
from ambassador.spec.assignment import Assignment, gather, route_of
from ambassador.spec.ranges import join_ranges

# What Docker sets for a link to a container that exposes 7000-7003/tcp, old and new (moby,
# daemon/links/links.go and links_test.go).
DOCKER = {
    "X_PORT": "tcp://172.17.0.2:7000",
    "X_PORT_7000_TCP_START": "tcp://172.17.0.2:7000",
    "X_PORT_7000_TCP_ADDR": "172.17.0.2",
    "X_PORT_7000_TCP_PROTO": "tcp",
    "X_PORT_7000_TCP_PORT_START": "7000",
    "X_PORT_7000_TCP_END": "tcp://172.17.0.2:7003",
    "X_PORT_7000_TCP_PORT_END": "7003",
    "X_PORT_7000_TCP": "tcp://172.17.0.2:7000",
    "X_PORT_7000_TCP_PORT": "7000",
    "X_PORT_7001_TCP": "tcp://172.17.0.2:7001",
    "X_PORT_7001_TCP_ADDR": "172.17.0.2",
    "X_PORT_7002_TCP": "tcp://172.17.0.2:7002",
    "X_PORT_7003_TCP": "tcp://172.17.0.2:7003",
    "X_NAME": "/web/x",
}
BY_HAND = {"X_PORT_7000_TCP_START": "tcp://h:8000", "X_PORT_7003_TCP_END": "tcp://h:8003"}


def joined(values):
    assignments = [
        Assignment(f"variable {name}", variable, text)
        for name, text in values.items()
        if (variable := parse_variable(name))
    ]
    return join_ranges(gather(assignments))


def routes(values):
    return [route_of(link) for link in joined(values) if link.mains]


def problem(values):
    found = []
    for link in joined(values):
        if not link.mains:
            continue
        try:
            route_of(link)
        except ConfigError as error:
            found += error.problems
    (only,) = found
    return only


def test_the_range_docker_sets_is_one_route():
    (route,) = routes(DOCKER)
    assert route.listen == Inet("", 7000, 7003)
    assert [endpoint.address for endpoint in route.endpoints] == [Inet("172.17.0.2", 7000, 7003)]
    assert route.origin == "variable X_PORT_7000_TCP_START"


def test_the_order_of_the_variables_does_not_matter():
    (route,) = routes(dict(reversed(DOCKER.items())))
    assert route.listen == Inet("", 7000, 7003)


def test_a_range_by_hand_needs_only_its_ends():
    (route,) = routes(BY_HAND | {"X_PORT_7000_TCP_CONNECT": "2s"})
    assert route.listen == Inet("", 7000, 7003)
    assert [endpoint.address for endpoint in route.endpoints] == [Inet("h", 8000, 8003)]
    assert route.connect == 2


def test_the_two_ends_docker_sets_are_enough():
    values = {"X_PORT_7000_TCP_START": "tcp://h:8000", "X_PORT_7000_TCP_END": "tcp://h:8003"}
    (route,) = routes(values)
    assert route.listen == Inet("", 7000, 7003)
    assert [endpoint.address for endpoint in route.endpoints] == [Inet("h", 8000, 8003)]


def test_an_end_in_a_protocol_that_has_no_such_port_makes_no_route():
    values = {
        "X_PORT_80_TCP_START": "tcp://h:80",
        "X_PORT_80_UDP_END": "udp://h:82",
        "X_PORT_80_UDP_PORT_END": "82",
        "X_PORT_80_TCP": "tcp://h:80",
        "X_PORT_81_TCP": "tcp://h:81",
        "X_PORT_82_UDP": "udp://h:82",
    }
    assert sorted((route.proto, route.listen.port) for route in routes(values)) == [
        ("tcp", 80),
        ("tcp", 81),
        ("udp", 82),
    ]


@pytest.mark.parametrize(
    ("end", "what"),
    [
        ("tcp://h:8000", "is not after X_PORT_7000_TCP_START"),
        ("tcp://h:7999", "is not after"),
        ("unix:///x", "is not after"),
        ("tcp://g:8003", "does not fit"),
        ("h:8003", "the scheme is missing"),
    ],
)
def test_a_wrong_end_named_by_the_first_port(end, what):
    found = problem({"X_PORT_7000_TCP_START": "tcp://h:8000", "X_PORT_7000_TCP_END": end})
    assert found.where == "variable X_PORT_7000_TCP_END"
    assert what in found.what


def test_two_ranges_of_one_alias():
    other = {"X_PORT_9000_TCP_START": "tcp://h:9000", "X_PORT_9001_TCP_END": "tcp://h:9001"}
    assert [route.listen for route in routes(BY_HAND | other)] == [
        Inet("", 7000, 7003),
        Inet("", 9000, 9001),
    ]


def test_a_single_variable_that_says_the_same_is_taken_in():
    (route,) = routes(BY_HAND | {"X_PORT_7001_TCP": "tcp://h:8001"})
    assert route.listen == Inet("", 7000, 7003)


def test_one_outside_is_left_alone():
    made = routes(DOCKER | {"X_PORT_7004_TCP": "tcp://h:1", "Y_PORT_7001_TCP": "tcp://h:1"})
    assert [route.listen.port for route in made] == [7000, 7004, 7001]


@pytest.mark.parametrize("port", [7000, 7002])
def test_a_single_variable_that_contradicts_is_an_error(port):
    found = problem(DOCKER | {f"X_PORT_{port}_TCP": "tcp://other:1"})
    assert found.where == f"variable X_PORT_{port}_TCP"
    assert found.what == "contradicts the range that begins with X_PORT_7000_TCP_START"
    assert found.example == f"X_PORT_{port}_TCP=tcp://172.17.0.2:{port}"


def test_an_option_inside_a_range_is_sent_to_its_first_port():
    found = problem(DOCKER | {"X_PORT_7002_TCP_CONNECT": "2s"})
    assert found.where == "variable X_PORT_7002_TCP_CONNECT"
    assert found.example == "X_PORT_7000_TCP_CONNECT=2s"


def test_where_docker_skips_a_port_the_single_variables_stand():
    values = {
        "X_PORT_80_TCP_START": "tcp://h:80",
        "X_PORT_80_TCP_END": "tcp://h:82",
        "X_PORT_80_TCP_PORT_END": "82",
        "X_PORT_80_TCP": "tcp://h:80",
        "X_PORT_80_UDP": "udp://h:80",
        "X_PORT_82_TCP": "tcp://h:82",
    }
    assert [route.listen for route in routes(values)] == [
        Inet("", 80),
        Inet("", 80),
        Inet("", 82),
    ]


def test_where_docker_ends_in_another_protocol_the_single_variables_stand():
    values = {
        "X_PORT_80_TCP_START": "tcp://h:80",
        "X_PORT_80_UDP_END": "udp://h:81",
        "X_PORT_80_UDP_PORT_END": "81",
        "X_PORT_80_TCP": "tcp://h:80",
        "X_PORT_80_UDP": "udp://h:80",
        "X_PORT_81_UDP": "udp://h:81",
    }
    assert len(routes(values)) == 3


@pytest.mark.parametrize(
    ("changes", "where", "what"),
    [
        ({"X_PORT_7003_TCP_END": None}, "START", "the range has no end"),
        ({"X_PORT_7000_TCP_START": None}, "END", "the range has no start"),
        ({"X_PORT_7003_TCP_END": "tcp://h:8002"}, "END", "does not fit X_PORT_7000_TCP_START"),
        ({"X_PORT_7003_TCP_END": "tcp://g:8003"}, "END", "does not fit"),
        ({"X_PORT_7003_TCP_END": "tcp://h"}, "END", "the port is missing"),
        ({"X_PORT_7000_TCP_START": "h:8000"}, "START", "the scheme is missing"),
        ({"X_PORT_7000_TCP_START": "tcp://h:1-4"}, "START", "cannot start a range"),
        ({"X_PORT_7000_TCP_START": "unix:///x"}, "START", "cannot start a range"),
        ({"X_PORT_7000_TCP_START": "tcp://h:65535"}, "START", "cannot start a range"),
    ],
)
def test_a_broken_range_is_an_error(changes, where, what):
    values = {name: text for name, text in (BY_HAND | changes).items() if text}
    found = problem(values)
    assert found.where.endswith(where)
    assert what in found.what


def test_the_example_of_a_range_without_end_makes_a_range():
    values = {"X_PORT_7000_TCP_START": "tcp://h:8000"}
    name, _, text = problem(values).example.partition("=")
    (route,) = routes(values | {name: text})
    assert route.listen == Inet("", 7000, 7003)


def test_a_range_of_sctp_is_an_error():
    found = problem({"X_PORT_1_SCTP_START": "sctp://h:1", "X_PORT_3_SCTP_END": "sctp://h:3"})
    assert "SCTP is not carried" in found.what


@pytest.mark.parametrize("start", ["h:8000", "unix:///x", "tcp://h:65535", "tcp://h:1-4"])
def test_a_range_without_end_whose_start_is_wrong_too_has_no_example(start):
    assert problem({"X_PORT_7000_TCP_START": start}).example == ""


@pytest.mark.parametrize("digits", [6, 5000])
def test_a_range_that_starts_at_an_impossible_port_is_an_error(digits):
    found = problem({f"X_PORT_{'9' * digits}_TCP_START": "tcp://h:1"})
    assert "(in the name)" in found.what


def test_an_end_that_docker_states_but_nobody_set_is_no_end():
    found = problem({"X_PORT_7000_TCP_START": "tcp://h:1", "X_PORT_7000_TCP_PORT_END": "x"})
    assert found.what == "the range has no end"
