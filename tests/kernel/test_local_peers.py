"""A peer in our own namespace: its connection is ended, and nothing else."""

import socket

import pytest

from ambassador.planes.kernel.cut_entry import Side
from ambassador.planes.kernel.local_peers import end_here, is_here
from tests.kernel.peers import listen

FAMILIES = [socket.AF_INET, socket.AF_INET6]


def ends(sock):
    return sock.getsockname()[:2], sock.getpeername()[:2]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_connection_of_a_peer_here_ends_and_what_listens_goes_on(network, family):
    one = network.ambassador
    here = network.address("ambassador", family)
    with listen(one, 7000) as listening, one.socket(family) as client:
        client.connect((here, 7000))
        served, _ = listening.accept()
        local, remote = ends(client)
        side = Side(remote, local, dialled=False)
        with served:
            assert one.call(end_here, side)
            with pytest.raises(ConnectionAbortedError):
                client.recv(1)
            served.settimeout(5)
            with pytest.raises(ConnectionResetError):
                served.recv(1)
        # What is left there is the listener, which is found by its port alone.
        assert one.call(end_here, Side((here, 1), (here, 7000), dialled=True))
        with one.socket(family) as again:
            again.connect((here, 7000))
            listening.accept()[0].close()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_peer_elsewhere_is_left_alone(network, family):
    one, other = network.ambassador, network.old
    address = network.address("old", family)
    assert one.call(is_here, network.address("ambassador", family))
    assert one.call(is_here, "::1" if family == socket.AF_INET6 else "127.0.0.1")
    assert not one.call(is_here, address)
    with listen(other, 7000) as listening, one.socket(family) as client:
        client.connect((address, 7000))
        served, _ = listening.accept()
        local, remote = ends(client)
        assert not one.call(end_here, Side(local, remote, dialled=True))
        with served:
            client.sendall(b"x")
            assert served.recv(1) == b"x"
