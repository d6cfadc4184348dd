import socket

import pytest

from ambassador.planes.relay import pktinfo

V4MAPPED = bytes(10) + b"\xff\xff"


@pytest.mark.parametrize(
    ("host", "asked", "family"),
    [
        ("::", "127.0.0.1", socket.AF_INET6),
        ("::", "127.0.0.3", socket.AF_INET6),
        ("::", "::1", socket.AF_INET6),
        ("0.0.0.0", "127.0.0.1", socket.AF_INET),
        ("0.0.0.0", "127.0.0.3", socket.AF_INET),
    ],
)
def test_an_answer_leaves_from_the_address_that_was_asked(host, asked, family):
    kind = socket.AF_INET6 if ":" in asked else socket.AF_INET
    with (
        socket.socket(family, socket.SOCK_DGRAM) as ours,
        socket.socket(kind, socket.SOCK_DGRAM) as theirs,
    ):
        if family == socket.AF_INET6:
            ours.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        ours.bind((host, 0))
        room = pktinfo.ask(ours)
        for sock in (ours, theirs):
            sock.settimeout(5)
        theirs.sendto(b"question", (asked, ours.getsockname()[1]))
        data, ancillary, flags, client = ours.recvmsg(100, room)
        assert not flags & socket.MSG_CTRUNC
        ours.sendmsg([data], pktinfo.origin(ancillary), 0, client)
        assert theirs.recvfrom(100)[1][0] == asked


def test_a_socket_of_one_address_needs_no_telling():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        assert pktinfo.ask(sock) == 0
    assert pktinfo.origin([]) == ()


def test_the_interface_of_the_question_does_not_bind_the_answer():
    address = V4MAPPED + bytes([10, 0, 0, 1])
    came = [(socket.IPPROTO_IPV6, 50, address + (7).to_bytes(4, "little"))]
    assert pktinfo.origin(came) == ((socket.IPPROTO_IPV6, 50, address + bytes(4)),)


def test_of_a_broadcast_the_address_of_the_host_is_kept():
    ours, header = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 255])
    came = [(socket.IPPROTO_IP, 8, bytes(4) + ours + header)]
    assert pktinfo.origin(came) == ((socket.IPPROTO_IP, 8, bytes(4) + ours + bytes(4)),)


def test_other_ancillary_data_is_passed_over():
    assert pktinfo.origin([(socket.SOL_SOCKET, 29, bytes(16))]) == ()
