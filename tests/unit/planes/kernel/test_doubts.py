"""Evidence against ways, and what follows from it."""

import asyncio
from dataclasses import replace

import pytest

from ambassador.errors import PlaneError
from ambassador.model import Endpoint, Inet, Proto, Route
from ambassador.planes.kernel.doubts import Doubts
from ambassador.planes.kernel.evidence import Kind, Suspect, out
from ambassador.planes.kernel.firewall import Chain, Rules
from ambassador.planes.kernel.hindrances import Sight
from ambassador.planes.kernel.registry import Registry
from ambassador.planes.kernel.route import KernelRoute
from tests.clock import LoopWithClock, put_forward

END = Endpoint(Inet("10.0.0.1", 7000))
OTHER = Endpoint(Inet("10.0.0.2", 7000))
CLIENT = ("10.0.0.9", 40000)
FOUR = Suspect(None, "", False)
DROPPING = Sight(Rules((Chain("inet", "fw", "f", "forward", "filter", "drop"),)))
GUARDING = Sight(Rules((Chain("inet", "fw", "i", "input", "filter", "drop"),)))


class _Host:
    """A host whose rules the test sets."""

    def __init__(self):
        self.sight = self.next = Sight()
        self.looks = 0

    async def look(self):
        self.looks += 1
        before, self.sight = self.sight, self.next
        return before != self.sight


class _Table:
    """Counts what it is told; `ports` lose datagrams."""

    def __init__(self):
        self.opened, self.ports = 0, frozenset()
        self.failure, self.gave_way = None, []

    def give_way(self, reason):
        self.gave_way.append(reason)

    async def counters(self):
        if self.failure is not None:
            raise self.failure
        return {"opened_tcp": {6379: (self.opened, 0)}}

    async def lost(self):
        return self.ports


class Scene:
    def __init__(self, refusal="", *, guards=True, proto=Proto.TCP, endpoints=(END, OTHER)):
        self.route = KernelRoute(Route("redis", Inet("", 6379), endpoints, proto), refusal)
        self.route.learn_literals()
        self.changed, self.asked, self.silent = [], [], set()
        self.host, self.table = _Host(), _Table()
        registry = Registry()
        registry.swap([], [self.route])
        self.doubts = Doubts(
            registry, self.host, self.table, self.change, guards=guards, answers=self.answers
        )
        self.change(self.route)
        self.changed.clear()

    def change(self, one):
        self.changed.append(one)
        one.ways = one.wanted()
        one.since = dict.fromkeys(one.ways, asyncio.get_running_loop().time())

    async def answers(self, address, port):
        self.asked.append((address, port))
        return address not in self.silent

    async def later(self, seconds):
        put_forward(seconds)
        for _ in range(20):
            await asyncio.sleep(0)

    async def client(self):
        """One reaches the relay, long after the ways were installed."""
        await self.later(2.0)
        self.doubts.arrived("redis", 6379, CLIENT)
        await self.later(0.3)
        await self.later(0.6)

    @property
    def out(self):
        return {suspect: doubt.fault.kind for suspect, doubt in out(self.route.doubts).items()}


def run(body):
    with asyncio.Runner(loop_factory=LoopWithClock) as runner:
        runner.run(body())


def test_where_nothing_can_be_seen_the_relay_has_who_comes_back():
    """An nft that hangs: neither is it known why they come, nor can it be changed."""

    async def body():
        it = Scene()
        it.table.failure = PlaneError("nft: no answer")
        await it.client()
        assert it.out == {FOUR: Kind.LOST}
        assert it.table.gave_way == ["nft: no answer"]
        assert it.changed == [it.route]

    run(body)


def test_one_that_failed_is_out_until_it_is_seen_to_answer_again():
    async def body():
        it = Scene()
        it.silent.add("10.0.0.1")
        it.doubts.noticed("redis", END, "", False)
        assert it.changed == [it.route]
        await it.later(3.0)
        it.doubts.noticed("redis", END, "", False)
        await it.later(3.0)
        assert (it.changed, it.asked) == ([it.route], [])  # known already
        await it.later(3.0)
        assert (it.asked, set(it.out)) == ([("10.0.0.1", 7000)], {Suspect(END)})
        it.silent.clear()
        await it.later(10.0)
        assert it.out == {}
        assert it.changed == [it.route, it.route]

    run(body)


def test_one_that_answers_again_is_back_at_once_and_its_counted_failures_are_old():
    async def body():
        it = Scene()
        it.doubts.noticed("redis", END, "10.0.0.1", False)
        it.doubts.noticed("redis", END, "10.0.0.1", True)
        assert (it.route.doubts, it.route.forgive) == ({}, True)
        assert it.changed[:2] == [it.route, it.route]

    run(body)


def test_what_is_no_endpoint_of_a_route_in_the_kernel_is_not_heard():
    async def body():
        it, relayed = Scene(), Scene("no right to it")
        relayed.changed.clear()
        it.doubts.noticed("unknown", END, "", False)
        it.doubts.noticed("redis", replace(END, weight=2), "", False)
        relayed.doubts.noticed("redis", END, "", False)
        assert (it.changed, relayed.changed, it.route.doubts) == ([], [], {})

    run(body)


def test_nothing_comes_back_after_the_close():
    async def body():
        it = Scene()
        it.doubts.noticed("redis", END, "", False)
        it.doubts.close()
        await it.later(60.0)
        await it.client()
        assert set(it.out) == {Suspect(END)}
        assert it.asked == []

    run(body)


def test_a_client_that_comes_back_has_the_silent_address_found_and_taken_out():
    async def body():
        it = Scene()
        it.silent.add("10.0.0.2")
        await it.client()
        assert it.out == {Suspect(OTHER): Kind.UNREACHABLE}
        (way,) = it.route.ways.values()
        assert [share.address for share in way.shares] == ["10.0.0.1"]

    run(body)


def test_of_a_name_with_two_addresses_only_the_silent_one_is_out():
    async def body():
        name = Endpoint(Inet("db", 7000))
        it = Scene(endpoints=(name,))
        it.route.learn("db", ("10.0.0.1", "10.0.0.2"))
        it.change(it.route)
        it.silent.add("10.0.0.2")
        await it.client()
        assert it.out == {Suspect(name, "10.0.0.2"): Kind.UNREACHABLE}
        assert it.route.status().why.endswith("through the relay; 10.0.0.2 does not answer")

    run(body)


def test_a_client_that_came_before_its_way_is_no_evidence():
    async def body():
        it = Scene()
        it.doubts.arrived("redis", 6379, CLIENT)
        it.doubts.arrived("redis", 6379, ("fd00::9", 40000, 0, 0))  # no way of that family
        await it.later(1.0)
        assert (it.out, it.asked) == ({}, [])

    run(body)


def test_where_every_address_answers_the_way_itself_is_out_and_tried_again_more_and_more_rarely():
    async def body():
        it = Scene()
        await it.client()
        assert it.out == {}  # it may have restarted, and be well again
        await it.client()
        assert it.out == {FOUR: Kind.LOST}
        assert it.route.ways == {}
        await it.later(5.0)
        assert it.out == {}
        await it.client()
        assert it.route.doubts[FOUR].pause == 10.0
        assert it.route.status().ways_out == {"lost": 2}
        await it.later(6.0)
        assert it.out == {FOUR: Kind.LOST}

    run(body)


def test_a_client_that_comes_back_while_others_get_through_lost_a_segment():
    async def body():
        it = Scene()
        for it.table.opened in (40, 41, 42):
            await it.client()
            assert it.out == {}
        await it.client()  # and nobody has got through since
        assert it.out == {FOUR: Kind.LOST}

    run(body)


@pytest.mark.parametrize(("sight", "kind"), [(DROPPING, Kind.FIREWALL), (GUARDING, Kind.GUARDED)])
def test_what_is_seen_of_the_host_takes_the_ways_out_and_brings_them_back(sight, kind):
    async def body():
        it = Scene()
        it.host.sight = it.host.next = sight
        it.doubts.look([it.route])
        it.doubts.look([it.route])
        assert it.out == {FOUR: kind}
        assert (it.changed, it.asked) == ([it.route], [])
        await it.later(5.1)
        assert it.out == {FOUR: kind}
        it.host.next = Sight()
        await it.later(5.1)
        assert it.out == {}
        assert it.changed == [it.route, it.route]

    run(body)


def test_a_guarded_port_is_passed_by_where_the_kernel_is_demanded():
    async def body():
        it = Scene(guards=False)
        it.host.sight = GUARDING
        it.doubts.look([it.route])
        assert it.out == {}

    run(body)


def test_a_client_that_comes_back_has_the_rules_looked_at_first():
    async def body():
        it = Scene()
        it.host.next = DROPPING
        await it.client()
        assert it.out == {FOUR: Kind.FIREWALL}
        assert it.host.looks == 1

    run(body)


def test_datagrams_that_do_not_leave_this_host_take_the_way_out():
    async def body():
        it = Scene(proto=Proto.UDP)
        await it.client()
        assert it.out == {}
        it.table.ports = frozenset((6379,))
        await it.client()
        assert (it.out, it.asked) == ({FOUR: Kind.LOST}, [])

    run(body)


def test_however_many_clients_come_one_inquiry_is_made_at_a_time():
    async def body():
        it = Scene()
        it.table.opened = 40
        await it.later(2.0)
        for _ in range(1000):
            it.doubts.arrived("redis", 6379, CLIENT)
        await it.later(0.1)
        assert len(it.asked) == 2
        for _ in range(1000):
            it.doubts.arrived("redis", 6379, CLIENT)
        await it.later(0.05)
        assert len(it.asked) == 2

    run(body)
