import socket
import struct

import pytest

from ambassador.planes.relay.options import backlog, is_over, reset, tune


@pytest.mark.parametrize(("keepalive", "asks"), [(60.0, (60, 10)), (1.0, (1, 1)), (7.0, (7, 1))])
def test_a_silent_peer_is_asked_after_keepalive(keepalive, asks):
    with socket.socket() as sock:
        tune(sock, keepalive)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == asks[0]
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == asks[1]
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 6


def test_keepalive_can_be_off_and_a_unix_socket_has_none():
    with socket.socket() as sock:
        tune(sock, 0)
        assert not sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    with socket.socket(socket.AF_UNIX) as sock:
        tune(sock, 60.0)


def test_what_an_accepted_client_has_comes_from_its_listener():
    listening = socket.create_server(("127.0.0.1", 0))
    tune(listening, 30.0)
    with listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30


def test_reset_sets_a_linger_of_zero_and_bears_a_closed_socket():
    with socket.socket() as sock:
        reset(sock)
        linger = sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
        assert struct.unpack("ii", linger) == (1, 0)
    reset(sock)


@pytest.fixture
def connection():
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as ours,
    ):
        theirs, _ = listening.accept()
        with theirs:
            yield ours, theirs


def test_a_connection_is_over_when_both_ends_have_passed_ours_first(connection):
    ours, theirs = connection
    assert not is_over(ours)
    ours.shutdown(socket.SHUT_WR)
    assert not is_over(ours)
    assert theirs.recv(1) == b""
    theirs.close()
    assert ours.recv(1) == b""
    assert is_over(ours)


def test_a_connection_is_not_over_while_our_end_is_not_sent(connection):
    ours, theirs = connection
    theirs.shutdown(socket.SHUT_WR)
    assert ours.recv(1) == b""
    assert not is_over(ours)


def test_a_unix_socket_does_not_tell_whether_it_is_over():
    one, other = socket.socketpair()
    with one, other, pytest.raises(OSError, match="Operation not supported"):
        is_over(one)


def test_who_waits_in_a_backlog_is_told_and_what_an_emulation_leaves_out_is_unknown():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert backlog(listening, 9) == 0
        with socket.create_connection(listening.getsockname()):
            assert backlog(listening, 9) == 1

    class Emulated:
        def getsockopt(self, *_):
            return bytes(4)

    assert backlog(Emulated(), 9) == 9
