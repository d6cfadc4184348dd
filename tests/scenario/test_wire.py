"""The page's two hosts, with a capture between them: nothing of what is said can be read there."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest

from tests.ports import free_port
from tests.program import Program
from tests.relay.peers import port_of, read_exactly

R = "REDIS_PORT_6379_TCP"
ASKED, ANSWERED = (
    b"*3\r\n$3\r\nSET\r\n$8\r\npassword\r\n$7\r\nhunter2\r\n",
    b"+OK hunter2 it is\r\n",
)
ETH_P_ALL = 3  # linux/if_ether.h


def captured(wire: socket.socket) -> dict[int, bytes]:
    """What was said on loopback over IPv4, by each port that is an end of it."""
    found: dict[int, bytes] = {}
    with suppress(BlockingIOError):
        while True:
            packet = wire.recv(1 << 17)[14:]
            start = (packet[0] & 15) * 4
            if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
                continue
            for port in (packet[start : start + 2], packet[start + 2 : start + 4]):
                number = int.from_bytes(port)
                found[number] = (
                    found.get(number, b"") + packet[start + (packet[start + 12] >> 4) * 4 :]
                )
    return found


@pytest.mark.alone
def test_nothing_can_be_read_between_two_ambassadors(peers, identities) -> None:
    big, client = identities.pair()
    listening, front, middle = peers.listen(), free_port(), free_port()
    far = Program(
        AMBASSADOR_IDENTITY=big,
        **{R: f"tcp://127.0.0.1:{port_of(listening)}", f"{R}_LISTEN": f"tls://127.0.0.1:{middle}"},
    )
    near = Program(
        AMBASSADOR_IDENTITY=client,
        **{R: f"tls://127.0.0.1:{middle}", f"{R}_LISTEN": f"127.0.0.1:{front}"},
    )
    with far, near:
        far.started()
        near.started()
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            wire.bind(("lo", 0))
            wire.setblocking(False)
            for _ in range(2):  # the second is resumed
                consumer = peers.connect(front)
                consumer.sendall(ASKED)
                service = peers.accept(listening)
                assert read_exactly(service, len(ASKED)) == ASKED
                service.sendall(ANSWERED)
                assert read_exactly(consumer, len(ANSWERED)) == ANSWERED
            found = captured(wire)
    for words in (b"hunter2", b"SET", b"+OK"):
        assert words in found[front], "what is in clear is seen"
    hop = found[middle]
    assert len(hop) > len(ASKED) + len(ANSWERED)
    for words in (b"hunter2", b"password", b"SET", b"+OK", b"client-server", b"big-server"):
        assert words not in hop
