"""How many flows a UDP listener has, and when they end."""

import asyncio
import socket
from types import SimpleNamespace

import pytest

from ambassador.model import Endpoint, Inet, Proto, Reason, Route
from ambassador.planes.relay.descriptors import Descriptors
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.udp_flows import UdpFlows
from tests.clock import LoopWithClock, put_forward

END = Endpoint(Inet("127.0.0.1", 9), Proto.UDP)


class Scene:
    def __init__(self, room=None):
        self.live = LiveRoute(Route("dns", Inet("", 53), (END,), Proto.UDP, idle=10.0))
        self.descriptors = Descriptors()
        if room is not None:
            self.descriptors.limit = 2 * room
        self.heard, self.ended = [], []
        self.poller = Poller(4096, pytest.fail)
        self.flows = UdpFlows(
            self.live,
            SimpleNamespace(
                descriptors=self.descriptors, poller=self.poller, closed=self.ended.append
            ),
            self.heard.append,
        )

    def begin(self, port):
        now = asyncio.get_running_loop().time()
        return self.flows.begin((("127.0.0.1", port), ()), now)

    @property
    def reasons(self):
        return [(record.client, record.reason, record.detail) for record in self.ended]

    def upstream(self):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(("127.0.0.1", 9))
        return sock, Candidate(END, "127.0.0.1", 9)


def run(body):
    with asyncio.Runner(loop_factory=LoopWithClock) as runner:
        runner.run(body())


def test_a_flow_is_counted_from_its_first_datagram_to_its_end():
    async def body():
        it = Scene()
        flow = it.begin(1)
        it.flows.join(flow, *it.upstream())
        counters = it.live.counters
        assert (counters.opened, counters.open) == (1, 1)
        assert len(it.poller) == 1
        assert it.live.open_by_endpoint == {END.address: 1}
        it.flows.end(flow, Reason.CUT)
        assert (counters.opened, counters.open) == (1, 0)
        assert dict(counters.closed) == {Reason.CUT: 1}
        assert it.reasons == [("127.0.0.1:1", Reason.CUT, "")]
        assert (len(it.poller), flow.upstream) == (0, None)
        assert it.live.open_by_endpoint == {END.address: 0}
        it.flows.close(Reason.SHUTDOWN)

    run(body)


def test_one_that_leads_elsewhere_no_longer_has_the_socket_it_had():
    async def body():
        it = Scene()
        flow = it.begin(1)
        first, second = it.upstream(), it.upstream()
        it.flows.join(flow, *first)
        it.flows.join(flow, *second)
        assert first[0].fileno() == -1
        assert len(it.poller) == 1
        assert it.live.open_by_endpoint == {END.address: 1}
        it.flows.close(Reason.SHUTDOWN)
        assert it.reasons == [("127.0.0.1:1", Reason.SHUTDOWN, "")]

    run(body)


def test_a_silent_flow_ends_when_it_is_idle_and_one_that_speaks_does_not():
    async def body():
        it = Scene()
        it.begin(1)
        speaks = it.begin(2)
        for _ in range(3):
            put_forward(4.9)
            it.flows.use(speaks, asyncio.get_running_loop().time())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert it.reasons == [("127.0.0.1:1", Reason.TIMEOUT, "idle")]
        it.flows.close(Reason.SHUTDOWN)

    run(body)


def test_without_room_the_flow_that_has_been_silent_longest_makes_way(caplog):
    async def body():
        it = Scene(room=2)
        for port in (1, 2, 3, 4):
            assert it.begin(port) is not None
        assert [client for client, _, _ in it.reasons] == ["127.0.0.1:1", "127.0.0.1:2"]
        assert {reason for _, reason, _ in it.reasons} == {Reason.REFUSED}
        assert [r.event for r in caplog.records] == ["flows_displaced"]  # said once
        it.flows.close(Reason.SHUTDOWN)

    run(body)
