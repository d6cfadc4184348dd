"""Segments of our own making: well-formed, and with numbers that nobody can know."""

import socket
import struct

import pytest

from ambassador.planes.kernel.poke import Poke, segment

SYN, ACK = 0x02, 0x10


def ones_complement_sum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize("flags", [SYN, SYN | ACK, ACK])
@pytest.mark.parametrize(
    ("family", "source", "destination", "header"),
    [
        (socket.AF_INET, "10.77.0.2", "10.77.0.3", 20),
        (socket.AF_INET6, "fd77::2", "fd78::ffff:3", 40),
    ],
)
def test_the_ports_flags_and_checksum_are_right(flags, family, source, destination, header):
    packet = segment(family, (source, 6379), (destination, 40312), flags)
    addresses = socket.inet_pton(family, source) + socket.inet_pton(family, destination)
    assert packet[header - len(addresses) : header] == addresses
    tcp = packet[header:]
    assert len(tcp) == 20
    assert struct.unpack_from(">HH", tcp) == (6379, 40312)
    assert tcp[12] >> 4 == 5
    assert tcp[13] == flags
    assert ones_complement_sum(addresses + struct.pack(">LL", 20, 6) + tcp) == 0xFFFF


def test_the_checksum_is_right_for_whatever_numbers_are_drawn():
    addresses = socket.inet_aton("10.0.0.1") + socket.inet_aton("10.0.0.2")
    for _ in range(2000):
        tcp = segment(socket.AF_INET, ("10.0.0.1", 1), ("10.0.0.2", 2), ACK)[20:]
        assert ones_complement_sum(addresses + struct.pack(">LL", 20, 6) + tcp) == 0xFFFF


def test_numbers_are_drawn_anew_and_acknowledge_only_where_the_flag_says_so():
    drawn = {segment(socket.AF_INET, ("10.0.0.1", 1), ("10.0.0.2", 2), SYN)[24:28] for _ in "1234"}
    assert len(drawn) > 1
    assert segment(socket.AF_INET, ("10.0.0.1", 1), ("10.0.0.2", 2), SYN)[28:32] == bytes(4)


def test_the_client_is_never_sent_a_bare_syn():
    assert Poke.HANDSHAKE.value == (SYN | ACK, SYN)
    assert Poke.PLAIN.value == (ACK, ACK)
