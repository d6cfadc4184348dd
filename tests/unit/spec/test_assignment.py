import pytest

from ambassador.errors import ConfigError
from ambassador.model import Inet, Pick, Proto, Unix
from ambassador.spec import parse_variable
from ambassador.spec.assignment import Assignment, gather, route_of


def links(**values):
    return gather(
        Assignment(f"variable {name}", variable, value)
        for name, value in values.items()
        if (variable := parse_variable(name))
    )


def route(**values):
    (link,) = links(**values)
    return route_of(link)


def problems(**values):
    with pytest.raises(ConfigError) as raised:
        route(**values)
    return raised.value.problems


def test_assignments_of_one_port_are_gathered():
    found = links(
        A_PORT_1_TCP="tcp://h:1",
        B_PORT_1_TCP_CONNECT="5s",
        A_PORT_1_TCP_ADDR="h",
        A_PORT_1_UDP="udp://h:1",
        A_PORT_1_TCP_PICK="least",
        OTHER="x",
    )
    assert [(link.alias, link.port, link.proto) for link in found] == [
        ("a", "1", "TCP"),
        ("b", "1", "TCP"),
        ("a", "1", "UDP"),
    ]
    assert [link.is_wished for link in found] == [True, False, True]
    assert [link.is_injected for link in found] == [True, False, False]
    assert list(found[0].options) == ["PICK"]


def test_a_link_variable_alone_makes_a_route():
    made = route(Redis_PORT_6379_TCP="tcp://h:1,tcp://g:2")
    assert (made.name, made.alias, made.port) == ("redis", "redis", 6379)
    assert made.listen == Inet("", 6379)
    assert [endpoint.address for endpoint in made.endpoints] == [Inet("h", 1), Inet("g", 2)]
    assert made.origin == "variable Redis_PORT_6379_TCP"


def test_companions_set_options():
    made = route(
        A_PORT_1_TCP="tcp://h:1",
        A_PORT_1_TCP_LISTEN="127.0.0.1:7000",
        A_PORT_1_TCP_PICK="least",
        A_PORT_1_TCP_CONNECT="500ms",
        A_PORT_1_TCP_KEEPALIVE="off",
    )
    assert made.listen == Inet("127.0.0.1", 7000)
    assert (made.pick, made.connect, made.keepalive) == (Pick.LEAST, 0.5, 0)
    assert made.port == 1


def test_udp_has_its_own_option():
    made = route(A_PORT_53_UDP="udp://h:53", A_PORT_53_UDP_IDLE="5m")
    assert (made.proto, made.idle) == (Proto.UDP, 300)


def test_an_alias_may_be_empty():
    assert route(_PORT_80_TCP="tcp://h:80").name == "port-80"


def test_a_range_listens_on_as_many_ports():
    made = route(A_PORT_7000_TCP="tcp://h:8000-8003,tcp://g:1-4")
    assert made.listen == Inet("", 7000, 7003)


def test_a_unix_socket_may_be_on_both_sides():
    made = route(A_PORT_1_TCP="unix:///b", A_PORT_1_TCP_LISTEN="unix:///a")
    assert made.listen == Unix("/a")


@pytest.mark.parametrize(
    ("values", "where", "what", "example"),
    [
        (
            {"A_PORT_1_SCTP": "sctp://h:1"},
            "variable A_PORT_1_SCTP",
            "SCTP is not carried, only TCP and UDP are",
            "A_PORT_1_TCP=tcp://192.168.1.52:1",
        ),
        (
            {"A_PORT_0_TCP": "tcp://h:1"},
            "variable A_PORT_0_TCP",
            "the port 0 is not between 1 and 65535 (in the name)",
            "A_PORT_6379_TCP=tcp://192.168.1.52:6379",
        ),
        (
            {"A_PORT_65536_TCP": "tcp://h:1"},
            "variable A_PORT_65536_TCP",
            "the port 65536 is not between 1 and 65535 (in the name)",
            "A_PORT_6379_TCP=tcp://192.168.1.52:6379",
        ),
        (
            {"A_PORT_080_TCP": "tcp://h:1"},
            "variable A_PORT_080_TCP",
            'the port "080" begins with 0 (in the name)',
            "A_PORT_6379_TCP=tcp://192.168.1.52:6379",
        ),
        (
            {"A B_PORT_1_TCP": "tcp://h:1"},
            "variable A B_PORT_1_TCP",
            "the alias holds a blank",
            "REDIS_PORT_1_TCP=tcp://h:1",
        ),
        (
            {"A_PORT_1_TCP": "h"},
            "variable A_PORT_1_TCP",
            "the scheme is missing",
            "A_PORT_1_TCP=tcp://h:1",
        ),
        (
            {"A_PORT_1_TCP": "udp://h:1"},
            "variable A_PORT_1_TCP",
            "the scheme udp contradicts the protocol TCP",
            "A_PORT_1_TCP=tcp://h:1",
        ),
        (
            {"A_PORT_1_TCP": "tcp://h:1", "A_PORT_1_TCP_CONECT": "5s"},
            "variable A_PORT_1_TCP_CONECT",
            'the option CONECT is unknown, did you mean "CONNECT"?',
            "A_PORT_1_TCP_CONNECT=500ms",
        ),
        (
            {"A_PORT_1_TCP": "tcp://h:1", "A_PORT_1_TCP_connect": "5s"},
            "variable A_PORT_1_TCP_connect",
            'the option connect is unknown, did you mean "CONNECT"?',
            "A_PORT_1_TCP_CONNECT=500ms",
        ),
        (
            {"A_PORT_1_TCP": "tcp://h:1", "A_PORT_1_TCP_COLOUR": "red"},
            "variable A_PORT_1_TCP_COLOUR",
            "the option COLOUR is unknown",
            "A_PORT_1_TCP_CONNECT=500ms",
        ),
        (
            {"A_PORT_1_TCP": "tcp://h:1", "A_PORT_1_TCP_IDLE": "5s"},
            "variable A_PORT_1_TCP_IDLE",
            'the option "idle" is for UDP, the route is TCP',
            "A_PORT_1_TCP_CONNECT=500ms",
        ),
        (
            {"A_PORT_1_TCP": "tcp://h:1", "A_PORT_1_TCP_CONNECT": "soon"},
            "variable A_PORT_1_TCP_CONNECT",
            "is no duration",
            "A_PORT_1_TCP_CONNECT=5s",
        ),
        (
            {"A_PORT_1_TCP": "tcp://h:1", "A_PORT_1_TCP_LISTEN": "redis:1"},
            "variable A_PORT_1_TCP_LISTEN",
            '"redis" is a name; a listen address is an IP address',
            "A_PORT_1_TCP_LISTEN=:1",
        ),
        (
            {"A_PORT_1_TCP": "tcp://h:1", "A_PORT_1_TCP_LISTEN": ":7000-7003"},
            "variable A_PORT_1_TCP",
            "the endpoint has one port, the listen address :7000-7003 has 4 ports",
            "A_PORT_1_TCP=tcp://h:1-4",
        ),
        (
            {"A_PORT_1_TCP": "tcp://h:1-4", "A_PORT_1_TCP_LISTEN": ":7000"},
            "variable A_PORT_1_TCP",
            "the endpoint has 4 ports, the listen address :7000 has one port",
            "A_PORT_1_TCP=tcp://h:1",
        ),
        (
            {"A_PORT_1_TCP": "tcp://h:1-4,tcp://g:1-3"},
            "variable A_PORT_1_TCP",
            "the endpoint has 3 ports, the listen address :1-4 has 4 ports",
            "A_PORT_1_TCP=tcp://g:1-4",
        ),
        (
            {"A_PORT_1_TCP": "tcp://h:1-4,unix:///x"},
            "variable A_PORT_1_TCP",
            "the endpoint has one port, the listen address :1-4 has 4 ports",
            "A_PORT_1_TCP=tcp://192.168.1.52:6379-6382",
        ),
        (
            {"A_PORT_65535_TCP": "tcp://h:1-2"},
            "variable A_PORT_65535_TCP",
            "the range would listen beyond port 65535: :65535-65536",
            "A_PORT_65535_TCP_LISTEN=:65534-65535",
        ),
        (
            {"A_PORT_1_TCP": "tcp://h:1", "a_PORT_1_TCP": "tcp://g:1"},
            "variable a_PORT_1_TCP",
            "says the same as variable A_PORT_1_TCP, but for capitals",
            "A_PORT_1_TCP=tcp://h:1",
        ),
    ],
)
def test_what_is_wrong_names_its_variable_and_gives_a_line_to_type(values, where, what, example):
    (problem,) = problems(**values)
    assert (problem.where, problem.what, problem.example) == (where, what, example)


def test_all_that_is_wrong_is_said_at_once():
    found = problems(A_PORT_1_TCP="h,tcp://g", A_PORT_1_TCP_CONNECT="x", A_PORT_1_TCP_LISTEN=":0")
    assert len(found) == 4
