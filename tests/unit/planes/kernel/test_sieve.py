"""The kernel itself runs the program, here on messages that arrive at a socket of another kind."""

import socket
import struct
from array import array

import pytest

from ambassador.planes.kernel.conntrack import DELETE, NEW
from ambassador.planes.kernel.messages import CREATE, NEST, attribute, message
from ambassador.planes.kernel.sieve import sieve, vanishing

TRANSLATED, PLAIN = 1 << 5 | 1 << 3, 1 << 3  # IPS_DST_NAT, IPS_CONFIRMED
ATTACH_FILTER = 26
OURS = 4711
LEFT = attribute(7, struct.pack(">L", 100))  # CTA_TIMEOUT


@pytest.fixture
def passes(request):
    sending, receiving = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    program = array("B", getattr(request, "param", None) or sieve(DELETE, OURS))
    pointer, size = program.buffer_info()
    packed = struct.pack("@HP", size // 8, pointer)
    receiving.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, packed)
    receiving.setblocking(False)

    def passes(data):
        sending.send(data)
        try:
            return receiving.recv(65536) == data
        except BlockingIOError:
            return False

    yield passes
    sending.close()
    receiving.close()


def event(kind, flags, status, *, tcp=0, before=b"", family=socket.AF_INET):
    body = before + attribute(NEST | 1, bytes(52)) + attribute(3, struct.pack(">L", status))
    if tcp:
        body += attribute(NEST | 4, attribute(NEST | 1, attribute(1, bytes([tcp]))))
    return message(kind, flags, 0, family, body)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_begin_and_the_end_of_what_is_translated_pass(passes, family):
    assert passes(event(NEW, CREATE, TRANSLATED, tcp=1, family=family))
    assert passes(event(NEW, CREATE, TRANSLATED, family=family))
    assert passes(event(DELETE, 0, TRANSLATED, family=family))


@pytest.mark.parametrize("state", range(1, 10))
def test_of_changes_only_those_that_end_a_connection_pass(passes, state):
    assert passes(event(NEW, 0, TRANSLATED, tcp=state)) is (state in (7, 8))


def test_a_change_of_anything_else_does_not_pass(passes):
    assert not passes(event(NEW, 0, TRANSLATED))
    assert not passes(message(NEW, 0, 0, socket.AF_INET, attribute(3, bytes(4))))
    assert not passes(message(NEW, CREATE, 0, socket.AF_INET, b""))


@pytest.mark.parametrize("kind", [NEW, DELETE])
def test_what_nobody_translates_does_not_pass(passes, kind):
    assert not passes(event(kind, CREATE, PLAIN, tcp=7))


def test_attributes_may_stand_in_another_order(passes):
    before = attribute(9, bytes(24)) + attribute(18, b"\0\1")
    assert passes(event(NEW, 0, TRANSLATED, tcp=7, before=before))
    assert not passes(event(NEW, 0, TRANSLATED, tcp=5, before=before))


def deleted(status=TRANSLATED, *, tcp=0, left=LEFT, port=0):
    return by(port, event(DELETE, 0, status, tcp=tcp, before=left))


def by(port, data):
    whole = bytearray(data)
    struct.pack_into("=L", whole, 12, port)
    return bytes(whole)


def stateless(number):
    """As before Linux 5.11: the state of TCP is not told."""
    ends = attribute(NEST | 1, bytes(20)) + attribute(NEST | 2, attribute(1, bytes([number])))
    status = attribute(3, struct.pack(">L", TRANSLATED))
    return message(DELETE, 0, 0, socket.AF_INET, LEFT + attribute(NEST | 1, ends) + status)


def test_what_vanishes_or_is_entered_again_is_left_to_those_who_see_to_it(passes):
    assert not passes(stateless(socket.IPPROTO_UDP))
    assert passes(stateless(socket.IPPROTO_TCP))
    assert passes(deleted(tcp=3, left=b""))
    assert passes(deleted(tcp=3, port=OURS))
    assert passes(by(OURS + 1, event(NEW, CREATE, TRANSLATED, tcp=3)))
    assert not passes(by(OURS, event(NEW, CREATE, TRANSLATED, tcp=3)))


@pytest.mark.parametrize("state", range(1, 10))
def test_of_connections_that_are_deleted_those_that_went_on_are_left_to_them_too(passes, state):
    assert passes(deleted(tcp=state)) is (state not in (3, 4, 5, 6))


vanishes = pytest.mark.parametrize("passes", [vanishing(OURS)], indirect=True)


@vanishes
@pytest.mark.parametrize("state", range(1, 10))
def test_only_a_connection_that_went_on_vanishes(passes, state):
    assert passes(deleted(tcp=state)) is (state in (3, 4, 5, 6))


@vanishes
def test_what_expires_or_is_not_translated_or_was_deleted_by_us_does_not_vanish(passes):
    assert passes(deleted())
    assert passes(deleted(port=OURS + 1))
    assert not passes(deleted(left=b""))
    assert not passes(deleted(tcp=3, left=b""))
    assert not passes(deleted(PLAIN, tcp=3))
    assert not passes(deleted(port=OURS))
