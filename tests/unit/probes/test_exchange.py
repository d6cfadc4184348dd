"""One question to one address: in pieces, in silence, and where there are several."""

import socket

from ambassador.model import Endpoint, Inet, Unix
from ambassador.probes.exchange import host_of, places
from ambassador.probes.table import probe_of
from tests.names import StaticResolver


def test_bytes_may_come_one_by_one():
    for health, whole in (("redis", b"+PONG\r\n"), ("http", b"HTTP/1.1 200 OK\r\n")):
        probe = probe_of(health)
        first = next(n for n in range(len(whole) + 1) if probe.judge(whole[:n]) is not None)
        assert first == len(whole)
        assert probe.judge(whole) == ""


def test_one_that_accepts_and_says_nothing_has_not_answered(verdict):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert verdict("redis", port, 0.1) == "no answer within 0.1 s"
        assert verdict("tcp", port, 0.1) == ""


def test_of_a_name_every_address_and_of_a_range_both_ends(looping):
    resolver = StaticResolver(db=("10.0.0.1", "fd00::1"))
    found = looping.do(places(Endpoint(Inet("db", 5, 9)), resolver))
    assert found == [
        (socket.AF_INET, ("10.0.0.1", 5)),
        (socket.AF_INET, ("10.0.0.1", 9)),
        (socket.AF_INET6, ("fd00::1", 5)),
        (socket.AF_INET6, ("fd00::1", 9)),
    ]
    assert looping.do(places(Endpoint(Unix("/s")), resolver)) == [(socket.AF_UNIX, "/s")]
    assert (host_of(Endpoint(Inet("db", 5))), host_of(Endpoint(Unix("/s")))) == ("db", "")
