import pytest

from ambassador.errors import ConfigError
from ambassador.model import Endpoint, Inet, Proto, Unix
from ambassador.spec import (
    format_endpoint,
    format_endpoints,
    parse_endpoint,
    parse_endpoints,
)


@pytest.mark.parametrize(
    ("text", "endpoint", "canonical"),
    [
        ("tcp://192.168.1.52:6379", Endpoint(Inet("192.168.1.52", 6379)), None),
        ("tcp://redis:6379", Endpoint(Inet("redis", 6379)), None),
        ("TCP://redis:6379", Endpoint(Inet("redis", 6379)), "tcp://redis:6379"),
        ("tcp://[fd00::52]:6379", Endpoint(Inet("fd00::52", 6379)), None),
        ("udp://172.17.0.5:53", Endpoint(Inet("172.17.0.5", 53), Proto.UDP), None),
        ("unix:///run/redis.sock", Endpoint(Unix("/run/redis.sock")), None),
        ("unix:///r?backup", Endpoint(Unix("/r"), backup=True), None),
        ("tcp://h:7000-7003", Endpoint(Inet("h", 7000, 7003)), None),
        ("tcp://h:1?backup", Endpoint(Inet("h", 1), backup=True), None),
        ("tcp://h:1?weight=2", Endpoint(Inet("h", 1), weight=2), None),
        ("tcp://h:1?weight=1", Endpoint(Inet("h", 1)), "tcp://h:1"),
        (
            "tcp://h:1?weight=1000&backup",
            Endpoint(Inet("h", 1), weight=1000, backup=True),
            "tcp://h:1?backup&weight=1000",
        ),
    ],
)
def test_an_endpoint_is_a_url(text, endpoint, canonical):
    assert parse_endpoint(text) == endpoint
    assert format_endpoint(endpoint) == (canonical or text)


MALFORMED = [
    ("", "the scheme is missing", "tcp://192.168.1.52:6379"),
    ("192.168.1.52:6379", "the scheme is missing", "tcp://192.168.1.52:6379"),
    ("redis", "the scheme is missing", "tcp://redis:6379"),
    ("//redis:1", "the scheme is missing", None),
    ("http://h:80", 'the scheme "http" is unknown', "tcp://h:80"),
    ("tpc://h:80", 'the scheme "tpc" is unknown, did you mean "tcp"?', "tcp://h:80"),
    ("sctp://h:80", 'the scheme "sctp" is unknown', "tcp://h:80"),
    ("://h:80", 'the scheme "" is unknown', "tcp://h:80"),
    ("ssl://h:80", 'the scheme "ssl" is unknown', "tcp://h:80"),
    ("tcp://", "the port is missing", "tcp://192.168.1.52:6379"),
    ("tcp://h", "the port is missing", "tcp://h:6379"),
    ("tcp://h:", "the port is missing", "tcp://h:6379"),
    ("tcp://h:0", "the port 0 is not between 1 and 65535", "tcp://h:6379"),
    ("tcp://h:65536", "the port 65536 is not between 1 and 65535", "tcp://h:6379"),
    ("tcp://h:-1", "is not a port number", "tcp://h:6379"),
    ("tcp://h:redis", '"redis" is not a port number', "tcp://h:6379"),
    ("tcp://h:080", 'the port "080" begins with 0', "tcp://h:6379"),
    ("tcp://h:9-2", "the range 9-2 runs backwards", "tcp://h:2-9"),
    ("tcp://:6379", "the host is missing", "tcp://192.168.1.52:6379"),
    ("tcp://[fd00::52:6379", "the brackets do not enclose", "tcp://[fd00::52]:6379"),
    ("tcp://fd00::52]:6379", "the brackets do not enclose", "tcp://[fd00::52]:6379"),
    ("tcp://[[::1]]:6379", "the brackets do not enclose", None),
    ("tcp://[redis]:6379", '"redis" is not an IPv6 address', "tcp://redis:6379"),
    ("tcp://fd00::52:6379", "must be in brackets", "tcp://[fd00::52]:6379"),
    ("tcp://::1", "must be in brackets", "tcp://[::1]:6379"),
    ("tcp://256.0.0.1:1", "is not an IPv4 address", None),
    (" tcp://h:1", "contains a blank", "tcp://h:1"),
    ("tcp:// h:1", "contains a blank", None),
    ("tcp://h: 1", "contains a blank", None),
    ("tcp://h:1\t", "contains a blank (U+0009)", "tcp://h:1"),
    ("tcp://h\x07:1", "control or undecodable character (U+0007)", None),
    ("tcp://h\udcff:1", "control or undecodable character (U+DCFF)", None),
    ("tcp://h:1/", '"/" follows the port', "tcp://h:1"),
    ("tcp://h:1/path?backup", '"/path" follows the port', "tcp://h:1"),
    ("tcp://h:1#x", '"#x" follows the port', "tcp://h:1"),
    ("tcp://user:secret@h:1", "holds a user name or password", "tcp://h:1"),
    ("tcp://user:sec/ret@h:1", "holds a user name or password", "tcp://h:1"),
    ("redis://:secret@h:1/0", 'the scheme "redis" is unknown', "tcp://h:1"),
    ("tcp://h:1?", "an option is empty", "tcp://h:1"),
    ("tcp://h:1?backup&", "an option is empty", "tcp://h:1"),
    ("tcp://h:1?bakup", 'the option "bakup" is unknown, did you mean "backup"?', "tcp://h:1"),
    ("tcp://h:1?password=secret", 'the option "password" is unknown', "tcp://h:1"),
    ("tcp://h:1?backup=1", 'the option "backup" has no value', "tcp://h:1"),
    ("tcp://h:1?backup&backup", 'the option "backup" is given twice', "tcp://h:1"),
    ("tcp://h:1?weight", 'the weight "" is not 1 to 1000', "tcp://h:1"),
    ("tcp://h:1?weight=0", 'the weight "0" is not 1 to 1000', "tcp://h:1"),
    ("tcp://h:1?weight=1001", 'the weight "1001" is not 1 to 1000', "tcp://h:1"),
    ("tcp://h:1?weight=-1", 'the weight "-1" is not 1 to 1000', "tcp://h:1"),
    ("unix://run/x", "the path is relative", "unix:///run/x"),
    ("unix:///", "the path names a folder", "unix:///run/redis.sock"),
    ("unix:///a b", "contains a blank", None),
    ("tcp://$(touch x):1", "contains a blank", None),
    ("tcp://`id`:1", '"`id`" is not a host name', "tcp://192.168.1.52:1"),
    ("tcp://h;id:1", '"h;id" is not a host name', None),
]


@pytest.mark.parametrize(("text", "what", "example"), MALFORMED)
def test_a_malformed_endpoint_says_what_is_wrong_and_how_it_would_be_right(text, what, example):
    with pytest.raises(ConfigError) as raised:
        parse_endpoint(text, "argument X")
    (problem,) = raised.value.problems
    assert problem.where == "argument X"
    assert what in problem.what
    assert problem.expected
    assert "secret" not in str(problem)
    assert example in (None, problem.example)
    parse_endpoint(problem.example)  # an example that is malformed itself raises here


@pytest.mark.parametrize(
    ("text", "proto", "what", "example"),
    [
        ("udp://h:1", Proto.TCP, "the scheme udp contradicts the protocol TCP", "tcp://h:1"),
        ("tcp://h:1", Proto.UDP, "the scheme tcp contradicts the protocol UDP", "udp://h:1"),
        ("unix:///x", Proto.UDP, "the scheme unix contradicts the protocol UDP", None),
        ("h", Proto.UDP, "the scheme is missing", "udp://h:53"),
    ],
)
def test_the_scheme_agrees_with_the_protocol_asked_for(text, proto, what, example):
    with pytest.raises(ConfigError) as raised:
        parse_endpoint(text, "here", proto, port=53)
    (problem,) = raised.value.problems
    assert what in problem.what
    assert example in (None, problem.example)
    parse_endpoint(problem.example, "here", proto)


def test_a_unix_socket_is_an_endpoint_of_tcp():
    assert parse_endpoint("unix:///x", proto=Proto.TCP).proto is Proto.TCP


def test_a_list_has_commas():
    text = "tcp://db1:5432,tcp://db2:5432?backup&weight=2,unix:///a%2Cb"
    endpoints = parse_endpoints(text)
    assert [endpoint.address for endpoint in endpoints] == [
        Inet("db1", 5432),
        Inet("db2", 5432),
        Unix("/a,b"),
    ]
    assert format_endpoints(endpoints) == text


@pytest.mark.parametrize("text", ["", ",", "tcp://a:1,", ",tcp://a:1", "tcp://a:1,,tcp://b:2"])
def test_an_empty_element_is_an_error(text):
    with pytest.raises(ConfigError, match="an element of the list is empty") as raised:
        parse_endpoints(text, "X")
    assert parse_endpoints(raised.value.problems[0].example)


def test_an_endpoint_twice_is_an_error():
    with pytest.raises(ConfigError, match="twice") as raised:
        parse_endpoints("tcp://a:1,tcp://b:2,tcp://a:1?weight=2", "X")
    assert raised.value.problems[0].example == "tcp://a:1,tcp://b:2"


def test_all_that_is_wrong_in_a_list_is_said_and_the_example_is_the_whole_list():
    with pytest.raises(ConfigError) as raised:
        parse_endpoints("a:1,tcp://b:2,tcp://c", "X", Proto.TCP, port=7)
    assert [problem.read for problem in raised.value.problems] == ["a:1", "tcp://c"]
    for problem in raised.value.problems:
        assert problem.example == "tcp://a:1,tcp://b:2,tcp://c:7"
