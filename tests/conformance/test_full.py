"""Connection tracking has no room: a real table, of a namespace of its own, filled to the limit."""

import itertools
import socket
import struct

import pytest

from ambassador.model import Proto
from ambassador.planes.kernel.conntrack import DELETE, NEW
from ambassador.planes.kernel.cut_entry import Side, entry
from ambassador.planes.kernel.messages import ACK, CREATE, EXCLUSIVE, message
from ambassador.planes.kernel.netlink import NetlinkSocket
from tests.conformance.ambassador import route
from tests.conformance.scene import IPV6, works
from tests.wait import until

FAMILIES = [socket.AF_INET, IPV6]
# So that connections are tracked where only the relay has routes, too.
TRACKED = "table inet tracked { chain in { type filter hook input priority 0; ct state new; }; }"
PIECE = 200
OURS, PEER = 0xABCD, 0x1234


def fill():
    """Enter open connections until there is no room; return how many there was room for."""
    netlink = NetlinkSocket()
    side = Side(("203.0.113.1", OURS), ("198.18.0.1", PEER), True)
    made = message(NEW, CREATE | EXCLUSIVE, 0, socket.AF_INET, entry(side))
    acknowledged = message(NEW, CREATE | EXCLUSIVE | ACK, 0, socket.AF_INET, entry(side))
    places = [
        [at for at in range(len(made)) if made[at : at + 2] == struct.pack(">H", port)]
        for port in (OURS, PEER)
    ]
    ends = itertools.product(range(1, 1000), range(1, 60_000))
    for count in itertools.count(PIECE, PIECE):
        requests = []
        for number in range(PIECE):
            one = bytearray(acknowledged if number == PIECE - 1 else made)
            struct.pack_into("=L", one, 8, netlink.sequence())
            for port, where in zip(next(ends), places, strict=True):
                for at in where:
                    struct.pack_into(">H", one, at, port)
            requests.append(bytes(one))
        if failed := netlink.perform(requests):
            netlink.close()
            return count - len(failed)
    raise AssertionError


def empty():
    """Have the table of IPv4 flushed."""
    netlink = NetlinkSocket()
    netlink.perform([message(DELETE, ACK, netlink.sequence(), socket.AF_INET, b"")])
    netlink.close()


def answered(scene, family, port):
    """Tell whether a new client is served in a moment."""
    with scene.network.client.socket(family) as sock:
        sock.settimeout(0.3)
        try:
            sock.connect((scene.network.address("ambassador", family), port))
        except TimeoutError:
            return False
    return True


def test_what_is_open_goes_on_and_why_nobody_new_is_served_is_told(scene, ambassador, caplog):
    network = scene.network
    if ambassador.plane == "relay":
        network.ambassador.run("nft", TRACKED)
    ambassador.set(
        route(6379, "10.77.0.4:7000"),
        route(6380, "[fd77::4]:7000", name="six"),
        route(53, "10.77.0.4:7053", name="dns", proto=Proto.UDP),
        route(54, "[fd77::4]:7053", name="dns6", proto=Proto.UDP),
    )
    listening, datagrams = scene.endpoint(), scene.datagrams()
    datagrams.settimeout(0.3)
    pairs = [
        scene.session(listening),
        scene.session(listening, port=6380, family=IPV6),
    ]
    for pair in pairs:
        works(*pair)
    assert network.ambassador.call(fill) > 1000
    for pair in pairs:
        works(*pair)
    assert not answered(scene, socket.AF_INET, 6379)
    assert not answered(scene, IPV6, 6380)
    for port, family in ((53, socket.AF_INET), (54, IPV6)):
        scene.dial("bridge", port, family, socket.SOCK_DGRAM).send(b"asked")
        with pytest.raises(TimeoutError):
            datagrams.recv(5)
    until(lambda: "conntrack_full" in {one.event for one in caplog.records}, 10)
    for status in ambassador.statuses():
        assert "the kernel drops new connections before any plane sees them" in status.why
        assert status.ways_out == {}  # no endpoint is blamed
    network.ambassador.call(empty)
    assert all("drops new" not in status.why for status in ambassador.statuses())
    for port, family in zip((6379, 6380), FAMILIES, strict=True):
        works(*scene.session(listening, port=port, family=family))
    for pair in pairs:
        works(*pair)
