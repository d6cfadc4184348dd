"""What the kernel tells of a traced segment, and what cannot be read in it."""

import socket
import struct

import pytest

from ambassador.planes.kernel.messages import attribute
from ambassador.planes.kernel.traced import ends

TABLE = attribute(1, b"ambassador\0")
PORTS = attribute(9, struct.pack(">HH", 40000, 6379) + bytes(16))
IPV4 = bytes([0x45]) + bytes(11) + socket.inet_aton("10.0.0.3") + socket.inet_aton("10.0.0.2")
IPV6 = (
    bytes([0x60])
    + bytes(7)
    + socket.inet_pton(socket.AF_INET6, "fd00::3")
    + socket.inet_pton(socket.AF_INET6, "fd00::2")
)


def read(body):
    return ends(body, 0, len(body))


@pytest.mark.parametrize(
    ("header", "hosts"), [(IPV4, ("10.0.0.3", "10.0.0.2")), (IPV6, ("fd00::3", "fd00::2"))]
)
def test_both_ends_are_read_in_either_family(header, hosts):
    assert read(TABLE + attribute(8, header) + PORTS) == ((hosts[0], 40000), (hosts[1], 6379))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        TABLE + PORTS,  # the kernel tells the headers once a chain
        TABLE + attribute(8, IPV4),
        attribute(1, b"filter\0") + attribute(8, IPV4) + PORTS,
        TABLE + attribute(8, IPV4[:-1]) + PORTS,
        TABLE + attribute(8, b"") + PORTS,
        TABLE + attribute(8, b"\x50" + IPV6) + PORTS,
        TABLE + attribute(8, IPV6) + attribute(9, b"\x9c"),
    ],
)
def test_what_says_less_or_is_of_others_is_passed_over(body):
    assert read(body) is None
