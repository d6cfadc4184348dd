from ipaddress import ip_address

import pytest

from ambassador.errors import ConfigError
from ambassador.model import Inet, Unix
from ambassador.spec import (
    format_address,
    is_ip,
    parse_host,
    parse_listen,
    parse_ports,
    unmapped,
)
from ambassador.spec.address import salvaged


@pytest.mark.parametrize(
    ("text", "address", "canonical"),
    [
        (":7000", Inet("", 7000), ":7000"),
        ("7000", Inet("", 7000), ":7000"),
        (":1", Inet("", 1), ":1"),
        (":65535", Inet("", 65535), ":65535"),
        ("127.0.0.1:7000", Inet("127.0.0.1", 7000), "127.0.0.1:7000"),
        ("localhost:7000", Inet("127.0.0.1", 7000), "127.0.0.1:7000"),
        ("0.0.0.0:7000", Inet("0.0.0.0", 7000), "0.0.0.0:7000"),
        ("[::]:7000", Inet("::", 7000), "[::]:7000"),
        ("[::1]:7000", Inet("::1", 7000), "[::1]:7000"),
        ("[FD00:0::52]:7000", Inet("fd00::52", 7000), "[fd00::52]:7000"),
        ("[fe80::1%eth0]:7000", Inet("fe80::1%eth0", 7000), "[fe80::1%eth0]:7000"),
        ("[fe80::1%25eth0]:7000", Inet("fe80::1%eth0", 7000), "[fe80::1%eth0]:7000"),
        ("[fe80::1%25]:7000", Inet("fe80::1%25", 7000), "[fe80::1%25]:7000"),
        ("[fe80::1%2525e]:7000", Inet("fe80::1%25e", 7000), "[fe80::1%2525e]:7000"),
        (":7000-7003", Inet("", 7000, 7003), ":7000-7003"),
        ("7000-7003", Inet("", 7000, 7003), ":7000-7003"),
        ("[::1]:7000-7003", Inet("::1", 7000, 7003), "[::1]:7000-7003"),
        (":7000-7000", Inet("", 7000), ":7000"),
        ("unix:///run/x.sock", Unix("/run/x.sock"), "unix:///run/x.sock"),
        ("unix:///a%20b%2Cc%3Fd", Unix("/a b,c?d"), "unix:///a%20b%2Cc%3Fd"),
        ("unix:///%FF", Unix("/\udcff"), "unix:///%FF"),
    ],
)
def test_a_listen_address_has_one_canonical_form(text, address, canonical):
    assert parse_listen(text) == address
    assert format_address(address) == canonical
    assert parse_listen(canonical) == address


@pytest.mark.parametrize(
    ("text", "what", "example"),
    [
        ("", "the port is missing", ":6379"),
        (":", "the port is missing", ":6379"),
        ("127.0.0.1", "the port is missing", "127.0.0.1:6379"),
        ("127.0.0.1:", "the port is missing", "127.0.0.1:6379"),
        ("::", "must be in brackets", "[::]:6379"),
        ("::1:7000", "must be in brackets", "[::1]:7000"),
        ("[::1:7000", "the brackets do not enclose", "[::1]:7000"),
        ("::1]:7000", "the brackets do not enclose", "[::1]:7000"),
        ("[::1]7000", "the brackets do not enclose", None),
        ("[127.0.0.1]:7000", '"127.0.0.1" is not an IPv6 address', None),
        ("[]:7000", '"" is not an IPv6 address', None),
        ("[fe80::1%e+0]:7000", '"fe80::1%e+0" is not an IPv6 address', None),
        (":0", "the port 0 is not between 1 and 65535", ":6379"),
        (":65536", "the port 65536 is not between", ":6379"),
        (":" + "9" * 5000, "is not between 1 and 65535", ":6379"),
        (":redis", '"redis" is not a port number', ":6379"),
        (":070", 'the port "070" begins with 0', ":6379"),
        (":-1", '"" is not a port number', ":6379"),
        (":7000-", '"" is not a port number', ":6379"),
        (":7003-7000", "the range 7003-7000 runs backwards", ":7000-7003"),
        (":7000-7001-7002", '"7001-7002" is not a port number', None),
        (":\uff17\uff10", "is not a port number", ":6379"),
        ("redis:7000", '"redis" is a name; a listen address is an IP address', ":7000"),
        ("*:7000", '"*" is a name', ":7000"),
        ("1.2.3:7000", '"1.2.3" is a name', ":7000"),
        ("tcp://:7000", "a listen address has no scheme", ":7000"),
        (":7000?backup", "a listen address has no options", ":7000"),
        (" :7000", "contains a blank", None),
        (":70 00", "contains a blank", None),
        (":7000\n", "contains a blank (U+000A)", None),
        ("u:secret@127.0.0.1:7000", "holds a user name or password", "127.0.0.1:7000"),
        ("unix:///run/x?backup", "a listen address has no options", None),
        ("unix://run/x", "the path is relative", "unix:///run/x"),
        ("unix:/run/x", "unix is followed by :// and a path", "unix:///run/x"),
        ("unix:x", "unix is followed by :// and a path", "unix:///run/x"),
        ("unix://", "the path is missing", "unix:///run/redis.sock"),
        ("unix:///", "the path names a folder", "unix:///run/redis.sock"),
        ("unix:///run/", "the path names a folder", None),
        ("unix:///run/..", "the path names a folder", None),
        ("unix:///a%zz", "followed by two hexadecimal digits", None),
        ("unix:///a%00", "holds a NUL byte", None),
        ("unix:///" + "a" * 107, "the path has 108 bytes, 107 are possible", None),
        ("unix:///" + "%C3%BC" * 54, "the path has 109 bytes", None),
    ],
)
def test_a_malformed_listen_address_says_what_is_wrong_and_how_it_would_be_right(
    text, what, example
):
    with pytest.raises(ConfigError) as raised:
        parse_listen(text, "argument X")
    (problem,) = raised.value.problems
    assert problem.where == "argument X"
    assert what in problem.what
    assert problem.expected
    assert "secret" not in str(problem)
    assert example in (None, problem.example)
    parse_listen(problem.example)  # an example that is malformed itself raises here


def test_a_path_may_be_as_long_as_the_kernel_allows():
    assert parse_listen("unix:///" + "a" * 106) == Unix("/" + "a" * 106)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("redis", "redis"),
        ("my_redis-1.example.com.", "my_redis-1.example.com."),
        ("nginx.1", "nginx.1"),
        ("Redis", "Redis"),
        ("172.17.0.4", "172.17.0.4"),
        ("::1", "::1"),
        ("[::1]", "::1"),
    ],
)
def test_a_host_alone_may_have_brackets(text, host):
    assert parse_host(text) == host


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "the host is missing"),
        ("[]", "the host is missing"),
        ("256.1.1.1", "is not an IPv4 address"),
        ("1.2.3", "is not an IPv4 address"),
        ("192.168.001.052", "is not an IPv4 address"),
        ("a..b", "is not a host name"),
        (".", "is not a host name"),
        ("-a", "is not a host name"),
        ("a" * 64, "is not a host name"),
        (".".join(["a" * 60] * 5), "is not a host name"),
        ("köln", "is not a host name"),
        ("a/b", "is not a host name"),
        ("$(touch x)", "contains a blank"),
        ("`id`", "is not a host name"),
        ("a;b", "is not a host name"),
    ],
)
def test_a_malformed_host_is_an_error(text, what):
    with pytest.raises(ConfigError, match=what):
        parse_host(text)


def test_ports_alone():
    assert parse_ports("80") == Inet("", 80)
    assert parse_ports("80-82").ports == range(80, 83)
    with pytest.raises(ConfigError, match="where it stands"):
        parse_ports("x", "where it stands")


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("h:1", "h:1"),
        ("h", "h:5"),
        ("http://u:p@h:1/path?q", "h:1"),
        ("tcp://fd00::52:6379", "[fd00::52]:6379"),
        ("::1", "[::1]:5"),
        ("[::1", "[::1]:5"),
        ("tcp://h:0", "h:5"),
        ("tcp://h:9-2", "h:2-9"),
        ("///", "192.168.1.52:5"),
        ("", "192.168.1.52:5"),
    ],
)
def test_an_example_keeps_what_was_right(text, whole):
    assert salvaged(text, 5) == whole


def test_an_ip_literal_is_told_from_a_name():
    assert is_ip("::1")
    assert is_ip("10.0.0.1")
    assert not is_ip("redis")
    assert unmapped("::ffff:10.0.0.1") == ip_address("10.0.0.1")
    assert unmapped("redis") is None
