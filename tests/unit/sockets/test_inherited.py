"""Which socket serves which address."""

import socket

import pytest

from ambassador.model import Inet, Proto, Unix
from ambassador.sockets.inherited import Inherited, LentSocket, address_of


@pytest.fixture
def made():
    socks = []

    def make(where, kind=socket.SOCK_STREAM, dual=False):
        family = socket.AF_UNIX
        if isinstance(where, tuple):
            family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
        sock = LentSocket(family, kind)
        socks.append(sock)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual)
        sock.bind(where)
        if kind == socket.SOCK_STREAM:
            sock.listen()
        return sock

    yield make
    for sock in socks:
        sock.close()


def port(sock):
    return sock.getsockname()[1]


def test_an_address_is_served_once_and_without_waiting(made):
    sock = made(("127.0.0.1", 0))
    inherited = Inherited([sock])
    assert inherited.take(Proto.TCP, Inet("127.0.0.1", port(sock) - 1)) is None
    assert inherited.take(Proto.TCP, Inet("", port(sock))) is None
    assert inherited.take(Proto.UDP, Inet("127.0.0.1", port(sock))) is None
    assert inherited.take(Proto.TCP, Inet("127.0.0.1", port(sock))) is sock
    assert not sock.getblocking()
    assert inherited.take(Proto.TCP, Inet("127.0.0.1", port(sock))) is None


@pytest.mark.parametrize("host", ["", "::"])
def test_every_address_is_a_dual_stack_socket(made, host):
    dual, only6 = made(("::", 0), dual=True), made(("::", 0))
    inherited = Inherited([only6, dual])
    assert inherited.take(Proto.TCP, Inet(host, port(only6))) is None
    assert inherited.take(Proto.TCP, Inet(host, port(dual))) is dual


def test_datagrams_paths_and_abstract_names(made, tmp_path):
    udp = made(("127.0.0.1", 0), socket.SOCK_DGRAM)
    path, abstract = made(str(tmp_path / "s")), made("\0ambassador-test/inherited")
    inherited = Inherited([udp, path, abstract])
    assert inherited.take(Proto.UDP, Inet("127.0.0.1", port(udp))) is udp
    assert inherited.take(Proto.TCP, Unix(str(tmp_path / "s"))) is path
    assert inherited.take_abstract("\0ambassador-test/inherited") is abstract
    assert address_of(abstract) is None
    assert address_of(path) == Unix(str(tmp_path / "s"))
    assert address_of(udp) == Inet("127.0.0.1", port(udp))


def test_a_socket_that_does_not_listen_is_none(made):
    sock = LentSocket()
    with sock:
        sock.bind(("127.0.0.1", 0))
        assert Inherited([sock]).take(Proto.TCP, Inet("127.0.0.1", port(sock))) is None


def test_what_was_taken_is_ours_once_we_own_it(made):
    mine, kept = made(("127.0.0.1", 0)), made(("127.0.0.1", 0))
    inherited = Inherited([mine, kept], provisional=True)
    for sock in (mine, kept):
        inherited.take(Proto.TCP, Inet("127.0.0.1", port(sock)))
    assert (mine.lent, inherited.provisional) == (True, True)
    inherited.own([kept])
    assert (mine.lent, kept.lent, inherited.provisional) == (False, True, False)


def test_what_nobody_took_is_closed_and_named(made, tmp_path):
    socks = [made(("127.0.0.1", 0)), made(("::1", 0), socket.SOCK_DGRAM), made(str(tmp_path / "s"))]
    names = [f"tcp://127.0.0.1:{port(socks[0])}", f"udp://[::1]:{port(socks[1])}"]
    inherited = Inherited([*socks, made("\0ambassador-test/rest")])
    assert inherited.close_rest() == [*names, f"unix://{tmp_path}/s"]
    assert [sock.fileno() for sock in socks] == [-1] * 3
    assert inherited.close_rest() == []


def test_where_they_last_each_taking_is_a_copy(made):
    sock, other = made(("127.0.0.1", 0)), made(("127.0.0.1", 0))
    inherited = Inherited([sock, other], lasting=True)
    for _ in range(2):
        copy = inherited.take(Proto.TCP, Inet("127.0.0.1", port(sock)))
        assert copy.getsockname() == sock.getsockname()
        assert copy.lent
        copy.close()
    assert inherited.untaken == [f"tcp://127.0.0.1:{port(other)}"]
    inherited.close_rest()
    assert sock.fileno() == other.fileno() == -1
