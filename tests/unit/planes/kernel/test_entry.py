"""Entries as the kernel writes them, and as it might."""

import socket
import struct
from sys import byteorder

import pytest

from ambassador.model import Proto
from ambassador.planes.kernel.entry import FlowState, ended_by, naming, parse, wanted
from ambassador.planes.kernel.layout import LABEL
from ambassador.planes.kernel.messages import NEST, attribute, attributes

CLIENT, LISTEN = ("10.77.0.3", 40312), ("10.77.0.2", 6379)
NAT, UPSTREAM = ("10.77.0.2", 40312), ("10.77.0.4", 7000)
SEEN_REPLY, DST_NAT = 1 << 1, 1 << 5


def tuple_of(source, destination, number=6, *, turned=False):
    """Return a tuple's attributes, in the kernel's usual order or in another."""
    family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
    first = 3 if family == socket.AF_INET6 else 1
    addresses = [
        attribute(first, socket.inet_pton(family, source[0])),
        attribute(first + 1, socket.inet_pton(family, destination[0])),
    ]
    ports = [
        attribute(1, bytes([number])),
        attribute(2, struct.pack(">H", source[1])),
        attribute(3, struct.pack(">H", destination[1])),
    ]
    if turned:
        addresses.reverse()
        ports.reverse()
    parts = [attribute(NEST | 1, b"".join(addresses)), attribute(NEST | 2, b"".join(ports))]
    return b"".join(reversed(parts) if turned else parts)


def entry(
    *,
    original=(CLIENT, LISTEN),
    reply=(UPSTREAM, NAT),
    number=6,
    status=DST_NAT | SEEN_REPLY,
    tcp=3,
    turned=False,
    label=True,
    more=b"",
):
    state = attribute(NEST | 4, attribute(NEST | 1, attribute(1, bytes([tcp])))) if tcp else b""
    words = [0] * (128 // (8 * struct.calcsize("l")))
    if label:
        word, bit = divmod(LABEL, 8 * struct.calcsize("l"))
        words[word] = 1 << bit
    labels = b"".join(word.to_bytes(struct.calcsize("l"), byteorder) for word in words)
    return (
        attribute(NEST | 1, tuple_of(*original, number, turned=turned))
        + attribute(NEST | 2, tuple_of(*reply, number, turned=turned))
        + attribute(3, struct.pack(">L", status))
        + attribute(12, struct.pack(">L", 77))
        + attribute(22, labels)
        + state
        + more
    )


def read(data):
    return parse(data, 0, len(data))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    "hosts",
    [("10.77.0.3", "10.77.0.2", "10.77.0.4"), ("fd77::3", "fd77::2", "fd78::ffff:4")],
    ids=["IPv4", "IPv6"],
)
def test_both_ends_are_read_in_whatever_order_they_are_written(hosts, turned):
    client, ours, upstream = hosts
    data = entry(
        original=((client, 40312), (ours, 6379)),
        reply=((upstream, 7000), (ours, 51000)),
        turned=turned,
    )
    flow = read(data)
    assert flow is not None
    assert flow.family == (socket.AF_INET6 if ":" in client else socket.AF_INET)
    assert (flow.client, flow.listen) == ((client, 40312), (ours, 6379))
    assert (flow.nat, flow.upstream) == ((ours, 51000), (upstream, 7000))
    assert (flow.id, flow.proto, flow.established) == (77, Proto.TCP, True)


@pytest.mark.parametrize(
    ("tcp", "state"),
    [
        (1, FlowState.CONNECTING),  # SYN_SENT
        (2, FlowState.ESTABLISHED),  # SYN_RECV: the client may be connected already
        (3, FlowState.ESTABLISHED),
        (4, FlowState.ESTABLISHED),  # half-closed: FIN_WAIT
        (5, FlowState.ESTABLISHED),  # CLOSE_WAIT
        (6, FlowState.ESTABLISHED),  # LAST_ACK
        (7, FlowState.OVER),  # TIME_WAIT
        (8, FlowState.OVER),  # CLOSE
        (9, FlowState.CONNECTING),  # SYN_SENT2
        (0, FlowState.OVER),  # not told with the end of a flow
    ],
)
def test_how_far_a_connection_has_come(tcp, state):
    assert read(entry(tcp=tcp)).state is state


def test_a_datagram_that_was_answered_makes_a_flow_established():
    answered, silent = (
        read(entry(number=17, tcp=0, status=status)) for status in (DST_NAT | SEEN_REPLY, DST_NAT)
    )
    assert (answered.proto, answered.state) == (Proto.UDP, FlowState.ESTABLISHED)
    assert silent.state is FlowState.CONNECTING


def test_what_is_not_translated_or_neither_tcp_nor_udp_is_no_flow():
    assert read(entry(status=SEEN_REPLY)) is None
    assert read(entry(number=132, tcp=0)) is None
    assert read(b"") is None
    assert read(attribute(3, struct.pack(">L", DST_NAT))) is None


def test_the_label_of_our_rules_makes_a_flow_ours():
    assert read(entry()).ours
    assert not read(entry(label=False)).ours


def test_counters_and_times_are_read_where_they_are():
    def numbers(kind, *values):
        inner = [attribute(i, struct.pack(">Q", v)) for i, v in enumerate(values, 1)]
        return attribute(NEST | kind, b"".join(inner))

    more = numbers(9, 5, 1000) + numbers(10, 4, 900) + numbers(20, 1_500_000_000, 2_000_000_000)
    flow = read(entry(more=more))
    assert (flow.packets_up, flow.bytes_up) == (5, 1000)
    assert (flow.packets_down, flow.bytes_down) == (4, 900)
    assert (flow.began, flow.ended) == (1.5, 2.0)
    bare = read(entry())
    assert (bare.packets_up, bare.bytes_up, bare.began, bare.ended) == (0, 0, 0.0, 0.0)


def test_a_flow_is_named_by_its_ends_its_zone_and_its_number():
    zone = attribute(18, struct.pack(">H", 9))
    flow = read(entry(more=zone))
    named = attributes(naming(flow), 0, len(naming(flow)))
    assert set(named) == {1, 12, 18}
    assert naming(flow)[slice(*named[18])] == struct.pack(">H", 9)
    assert naming(flow)[slice(*named[12])] == struct.pack(">L", 77)
    assert attribute(NEST | 1, tuple_of(CLIENT, LISTEN)) in naming(flow)


def test_a_dump_is_asked_for_by_protocol_and_port():
    def parts(data):
        return {key: data[slice(*where)] for key, where in attributes(data, 0, len(data)).items()}

    by_port, by_proto = parts(wanted(Proto.TCP, 6379)), parts(wanted(Proto.UDP, 0))
    assert parts(parts(by_port[1])[2]) == {1: b"\x06", 3: struct.pack(">H", 6379)}
    assert parts(by_port[25]) == {1: struct.pack("=L", 1 << 3 | 1 << 5)}
    assert parts(parts(by_proto[1])[2]) == {1: b"\x11"}
    assert parts(by_proto[25]) == {1: struct.pack("=L", 1 << 3)}


def test_an_entry_cut_short_anywhere_is_none_or_a_flow_and_no_error():
    whole = entry(more=attribute(NEST | 9, attribute(1, struct.pack(">Q", 3))))
    for end in range(len(whole)):
        parse(whole[:end], 0, end)
        ended_by(whole[:end], 0, end)


def test_an_entry_in_which_any_byte_is_another_is_no_error():
    whole = entry()
    for place in range(len(whole)):
        for byte in (0, 1, 0x7F, 0xFF):
            broken = whole[:place] + bytes([byte]) + whole[place + 1 :]
            parse(broken, 0, len(broken))
            ended_by(broken, 0, len(broken))
