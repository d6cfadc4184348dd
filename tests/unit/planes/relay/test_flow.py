import errno
import logging
import socket

import pytest

from ambassador.model import Endpoint, Inet, Proto
from ambassador.planes.relay.flow import UdpFlow, connect_datagrams
from ambassador.planes.relay.state import Candidate


def flow():
    return UdpFlow("key", ("::ffff:10.0.0.9", 4000, 0, 0), (), used=1.0, began=1.0)


def candidate(port, host="127.0.0.1"):
    return Candidate(Endpoint(Inet(host, port), Proto.UDP), host, port)


def test_sixteen_datagrams_are_held_in_order_and_given_once():
    one = flow()
    assert [one.hold(b"%d" % i) for i in range(17)] == [True] * 16 + [False]
    assert list(one.release()) == [b"%d" % i for i in range(16)]
    assert one.held is None
    assert not one.release()


def test_what_is_held_is_bounded_in_bytes_too():
    one = flow()
    assert one.hold(bytes(65507))
    assert one.hold(bytes(65507))
    assert not one.hold(bytes(100))
    assert one.hold(b"")
    one.release()
    assert one.hold(bytes(65507))


def test_the_line_at_the_end_says_who_where_how_much_and_why(caplog):
    caplog.set_level(logging.DEBUG, "ambassador")
    one = flow()
    one.candidate = candidate(53, "10.0.0.1")
    one.to_upstream, one.to_client = 40, 120
    one.tell("dns", 3.5, "idle")
    (record,) = caplog.records
    assert record.getMessage() == (
        "dns  10.0.0.9:4000 -> 10.0.0.1:53  40 B up  120 B down  2.500 s  idle"
    )
    assert record.event == "session_closed"
    assert record.fields["client"] == "10.0.0.9:4000"
    assert record.fields["dropped"] == 0


def test_below_debug_nothing_is_said(caplog):
    caplog.set_level(logging.INFO, "ambassador")
    flow().tell("dns", 3.5, "idle")
    assert caplog.records == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "0.0.0.0", "::1", "::"])
def test_an_endpoint_that_is_our_own_listener_is_refused(host):
    with pytest.raises(OSError) as caught:
        connect_datagrams(candidate(5353, host), lambda _, port: port == 5353)
    assert caught.value.errno == errno.ELOOP


def test_a_socket_connected_to_itself_is_no_endpoint(monkeypatch):
    class Lucky(socket.socket):
        """The kernel chooses, one time in 28,000, the port that was asked for."""

        def connect(self, address):
            self.bind(address)
            super().connect(address)

    monkeypatch.setattr(socket, "socket", Lucky)
    with pytest.raises(ConnectionRefusedError):
        connect_datagrams(candidate(29531), lambda *_: False)
