import errno
import socket

import pytest

from ambassador.model import Endpoint, Inet, Proto, Reason, Route
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.flow import UdpFlow, connect_datagrams
from ambassador.planes.relay.source_ports import SourcePorts
from ambassador.ports import SessionRecord


def flow():
    return UdpFlow("key", 1.0, ("::ffff:10.0.0.9", 4000, 0, 0), (), began=1.0)


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


DNS = Route("dns", Inet("", 53), (Endpoint(Inet("10.0.0.1", 53), Proto.UDP),), Proto.UDP)


def test_at_its_end_it_says_who_where_how_much_and_why():
    one = flow()
    one.candidate = candidate(53, "10.0.0.1")
    one.to_upstream, one.to_client, one.dropped = 40, 120, 3
    assert one.record(DNS, 3.5, Reason.TIMEOUT, "idle") == SessionRecord(
        *("dns", Proto.UDP, "10.0.0.9:4000", one.candidate.endpoint, "10.0.0.1:53", "relay"),
        *(40, 120, 0.0, 2.5, Reason.TIMEOUT, "idle", 3),
    )


@pytest.mark.parametrize(
    ("found", "held", "state"),
    [(False, False, "waiting"), (True, False, "open"), (False, True, "held")],
)
def test_it_is_seen_with_its_state(found, held, state):
    one = flow()
    one.id = "r1.1"
    if found:
        one.candidate = candidate(53, "10.0.0.1")
    view = one.view(DNS, 3.5, held=held)
    assert (view.id, view.client, view.age, view.state) == ("r1.1", "10.0.0.9:4000", 2.5, state)
    assert view.address == ("10.0.0.1:53" if found else "")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "0.0.0.0", "::1", "::"])
def test_an_endpoint_that_is_our_own_listener_is_refused(host):
    with pytest.raises(OSError) as caught:
        connect_datagrams(candidate(5353, host), lambda _, port: port == 5353, SourcePorts())
    assert caught.value.errno == errno.ELOOP


def test_a_socket_connected_to_itself_is_no_endpoint(monkeypatch):
    class Lucky(socket.SocketType):
        """The kernel chooses, one time in 28,000, the port that was asked for."""

        def connect_ex(self, address):
            self.bind(address)
            return super().connect_ex(address)

    monkeypatch.setattr(socket, "SocketType", Lucky)
    with pytest.raises(ConnectionRefusedError):
        connect_datagrams(candidate(29531), lambda *_: False, SourcePorts())
