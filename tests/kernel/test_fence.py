"""A fence has nothing said through flows, open ones and new ones; afterwards they go on."""

import select
import socket

import pytest

from ambassador.planes.kernel.fence import fence
from ambassador.planes.kernel.stops import Stop
from tests.kernel.forwarding import forward
from tests.kernel.peers import listen, open_flows
from tests.loops import LoopThread
from tests.wait import until

OLD = {socket.AF_INET: "10.77.0.4", socket.AF_INET6: "fd77::4"}


@pytest.fixture
def looping(network):
    looping = LoopThread(network.ambassador)
    yield looping
    looping.close()


@pytest.mark.parametrize("client", ["client", "ambassador"])
@pytest.mark.parametrize("family", OLD, ids=["IPv4", "IPv6"])
def test_nothing_passes_either_way_until_it_is_released(network, looping, family, client):
    forward(network, ("tcp", 6379, OLD[family], 7000), ("tcp", 6380, OLD[family], 7000))
    with listen(network.old, 7000) as old:
        (fenced,) = open_flows(network, old, 6379, family=family, client=client)
        (other,) = open_flows(network, old, 6380, family=family, client=client)
        new = []
        try:
            release = looping.call(fence, [Stop(6379, OLD[family], 7000)])
            for near, far in (fenced, fenced[::-1], other, other[::-1]):
                near.sendall(b"question")
                if near in other:  # of another port, to the same endpoint
                    assert far.recv(8) == b"question"
            assert not select.select(fenced, [], [], 0.3)[0]
            dial = getattr(network, client).socket
            new.append(dial(family))
            new[0].connect((network.address("ambassador", family), 6379))  # to be cut with them
            new.append(old.accept()[0])
            new[0].sendall(b"question")
            assert not select.select(new, [], [], 0.3)[0]
            looping.call(release)
            assert new[1].recv(8) == b"question"
            for one in fenced:  # is sent again, after 0.2 s and then 0.4
                assert one.recv(8) == b"question"
            listed = network.ambassador.run
            until(lambda: "flags owner" not in listed("nft", "list", "ruleset"), 10)
        finally:
            for sock in (*fenced, *other, *new):
                sock.close()
