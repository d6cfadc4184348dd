"""What vanished is read from the kernel's notice, and asked for again as it was."""

import socket
import struct

import pytest

from ambassador.model import Proto
from ambassador.planes.kernel.entry import label
from ambassador.planes.kernel.layout import LABEL
from ambassador.planes.kernel.messages import NEST, attribute, attributes
from ambassador.planes.kernel.revival import backwards, read, request

CLIENT, LISTEN = ("10.0.0.8", 4000), ("10.0.0.2", 6379)
NAT, UPSTREAM = ("10.0.0.2", 4001), ("10.0.0.1", 7000)
CLIENT6, LISTEN6 = ("fd00::8", 4000), ("fd00::2", 6379)
NAT6, UPSTREAM6 = ("fd00::2", 4001), ("fd00::1", 7000)
FOUR, SIX = (CLIENT, LISTEN, UPSTREAM, NAT), (CLIENT6, LISTEN6, UPSTREAM6, NAT6)
ESTABLISHED, CLOSE_WAIT, TIME_WAIT, CLOSE, SYN_SENT = 3, 5, 7, 8, 1
STATUS = 0x3E  # seen reply, assured, confirmed, translated both ways


def ends(number, source, destination):
    family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
    first = 3 if ":" in source[0] else 1
    packed = [socket.inet_pton(family, host) for host, _ in (source, destination)]
    addresses = attribute(first, packed[0]) + attribute(first + 1, packed[1])
    ports = attribute(1, bytes([number]))
    ports += attribute(2, struct.pack(">H", source[1]))
    ports += attribute(3, struct.pack(">H", destination[1]))
    return attribute(NEST | 1, addresses) + attribute(NEST | 2, ports)


def notice(places=FOUR, *, state=ESTABLISHED, seconds=1000, mark=0, number=6):
    client, listen, upstream, nat = places
    body = attribute(NEST | 1, ends(number, client, listen))
    body += attribute(NEST | 2, ends(number, upstream, nat))
    body += attribute(3, struct.pack(">L", STATUS))
    if state:
        body += attribute(NEST | 4, attribute(NEST | 1, attribute(1, bytes([state]))))
    if seconds:
        body += attribute(7, struct.pack(">L", seconds))
    if mark:
        body += attribute(8, struct.pack(">L", mark))
    return body


def vanished(**options):
    data = notice(**options)
    return read(data, 0, len(data))


@pytest.mark.parametrize("state", [ESTABLISHED, 4, CLOSE_WAIT, 6])
def test_a_connection_that_went_on_has_vanished(state):
    gone = vanished(state=state)
    assert (gone.state, gone.seconds, gone.status) == (state, 1000, STATUS)
    assert (gone.flow.client, gone.flow.upstream) == (CLIENT, UPSTREAM)


@pytest.mark.parametrize("state", [SYN_SENT, TIME_WAIT, CLOSE])
def test_one_that_was_over_or_had_not_begun_has_not(state):
    assert vanished(state=state) is None


def test_what_has_expired_has_not():
    assert vanished(seconds=0) is None
    assert vanished(seconds=0, state=0, number=17) is None


def test_datagrams_have_no_state():
    gone = vanished(state=0, number=17)
    assert gone.flow.proto is Proto.UDP
    assert 4 not in attributes(request(gone), 0, len(request(gone)))


@pytest.mark.parametrize("places", [FOUR, SIX])
def test_it_is_asked_for_untranslated_with_what_translates_it(places):
    client, listen, upstream, nat = places
    body = request(vanished(places=places, mark=7))
    found = {kind: body[slice(*where)] for kind, where in attributes(body, 0, len(body)).items()}
    assert found[1] == ends(6, client, listen)
    assert found[2] == ends(6, listen, client)
    family = socket.AF_INET6 if ":" in client[0] else socket.AF_INET
    for kind, (host, port) in ((13, upstream), (6, nat)):
        packed = socket.inet_pton(family, host)
        assert found[kind].count(packed) == 2  # from here to here
        assert found[kind].count(struct.pack(">H", port)) == 2
    assert found[3] == struct.pack(">L", 0x0E)  # the kernel sets the rest itself
    assert found[7] == struct.pack(">L", 1000)
    assert found[8] == struct.pack(">L", 7)
    assert found[22] == label(LABEL)
    assert found[4].count(bytes([0x0A, 0x0A])) == 2  # no window is known, either way


def test_what_an_upstream_sends_of_itself_is_named_the_other_way_round():
    body = backwards(vanished().flow)
    assert body[slice(*attributes(body, 0, len(body))[1])] == ends(6, UPSTREAM, NAT)
