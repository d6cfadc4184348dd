"""Which transaction is made, and which flows are seen off, and how."""

import asyncio
from dataclasses import replace

import pytest

from ambassador.core.departure import Departure
from ambassador.errors import PlaneError, UnsureError
from ambassador.model import Endpoint, Existing, Fate, Hold, Inet, Proto, Reason, Route
from ambassador.planes.kernel.evidence import Doubt, Fault, Kind, Suspect
from ambassador.planes.kernel.installer import Installer
from ambassador.planes.kernel.route import KernelRoute
from ambassador.planes.kernel.stops import Stop

CUT = Existing(Fate.CUT)
MOVED, REMOVED = Departure(Reason.MOVED, CUT), Departure(Reason.REMOVED, CUT)
SILENT = Departure(Reason.UNREACHABLE, Existing())

DOUBT = Doubt(Fault(Kind.UNREACHABLE, "it is silent"), 5.0)


class Table:
    """Notes the changes; fails while `failure` says why."""

    def __init__(self):
        self.changes = []
        self.failure = ""

    async def commit(self, change):
        if self.failure:
            raise PlaneError(self.failure)
        self.changes.append(change)

    async def lift(self):
        self.changes.append("lift")


class Flows:
    """Notes what left and what came back."""

    def __init__(self):
        self.seen_off = []
        self.returned = []
        self.rested = []
        self.asked = 0

    async def left(self, route, ports, gone, why):
        self.seen_off.append((route.name, set(gone), why))

    async def rest(self, route, ports, rest):
        self.rested.append(set(rest))

    def back(self, proto, ports, back):
        self.returned.append(set(back))

    async def used(self, ports, *, unanswered):
        self.asked += 1
        return {port for port in ports if port[1] == 3}


class Run:
    def __init__(self):
        self.table, self.flows = Table(), Flows()
        self.installer = Installer(self.table, self.flows)

    def settle(self, *touched, removed=(), **options):
        asyncio.run(self.installer.settle(touched, removed, **options))


@pytest.fixture
def run():
    return Run()


def carried(*hosts, port=6379, **options):
    endpoints = tuple(Endpoint(Inet(host, 7000)) for host in hosts or ("10.0.0.1",))
    one = KernelRoute(Route(f"r{port}", Inet("", port), endpoints, existing=CUT, **options))
    one.learn_literals()
    return one


def test_a_new_route_is_installed_and_counted_once(run):
    one = carried()
    run.settle(one)
    run.settle(one)
    first, second = run.table.changes
    assert list(first.after) == [(False, Proto.TCP, 6379)]
    assert first.counted == [(Proto.TCP, 6379)]
    assert not second
    assert run.flows.seen_off == []


def test_an_address_that_left_is_seen_off_by_the_policy_of_the_route(run):
    one = carried("db")
    one.learn("db", ("10.0.0.1", "10.0.0.2"))
    run.settle(one)
    one.learn("db", ("10.0.0.2", "10.0.0.3"))
    run.settle(one)
    assert run.flows.seen_off == [("r6379", {("10.0.0.1", 7000)}, MOVED)]
    assert run.flows.returned[-1] == {("10.0.0.3", 7000)}


def test_one_that_cannot_be_reached_keeps_its_open_flows(run):
    one = carried("10.0.0.1", "10.0.0.2")
    run.settle(one)
    one.doubts[Suspect(one.route.endpoints[0])] = DOUBT
    run.settle(one)
    assert run.flows.seen_off == [("r6379", {("10.0.0.1", 7000)}, SILENT)]
    (way,) = run.table.changes[-1].after.values()
    assert [share.address for share in way.shares] == ["10.0.0.2"]


def test_a_removed_route_is_neither_installed_nor_counted_any_longer(run):
    one = carried()
    run.settle(one)
    run.settle(removed=[one])
    last = run.table.changes[-1]
    assert (list(last.before), last.after) == ([(False, Proto.TCP, 6379)], {})
    assert last.uncounted == [(Proto.TCP, 6379)]
    assert run.flows.seen_off == [("r6379", {("10.0.0.1", 7000)}, REMOVED)]


def test_for_many_routes_one_question_tells_which_have_flows(run):
    many = [carried(port=port) for port in range(1, 21)]
    run.settle(*many)
    run.settle(removed=many)
    assert run.flows.asked == 1
    assert [name for name, _, _ in run.flows.seen_off] == ["r3"]


def test_refusals_of_the_upstream_are_forgiven_when_it_is_another(run):
    one = carried("db")
    one.learn("db", ("10.0.0.1",))
    run.settle(one)
    one.learn("db", ("10.0.0.2",))
    run.settle(one)
    assert run.table.changes[-1].forgiven == [(Proto.TCP, 6379)]
    run.settle(one)
    assert run.table.changes[-1].forgiven == []


def test_a_strict_failure_changes_nothing(run):
    one = carried()
    run.table.failure = "nft: no"
    with pytest.raises(PlaneError, match="nft: no"):
        run.settle(one, strict=True)
    assert (one.ways, one.refusal, one.counted) == ({}, "", False)


def test_after_a_failure_the_relay_has_the_route_and_its_flows_are_left_in_peace(run, caplog):
    one = carried()
    run.settle(one)
    one.learn("10.0.0.1", ("10.0.0.9",))
    fail_once(run.table)
    run.settle(one)
    assert one.refusal == "nft: no"
    assert one.status().plane == "relay"
    assert list(run.table.changes[-1].before) == [(False, Proto.TCP, 6379)]
    assert run.table.changes[-1].after == {}
    assert run.flows.seen_off == []
    assert [r.event for r in caplog.records] == ["rules_refused"]


def test_where_even_taking_away_fails_nothing_has_changed_and_the_caller_hears_it(run):
    one = carried()
    run.settle(one)
    installed = one.ways
    one.learn("10.0.0.1", ("10.0.0.9",))
    run.table.failure = "nft: no"
    with pytest.raises(PlaneError, match="nft: no"):
        run.settle(one)
    assert (one.ways, one.refusal) == (installed, "")


def test_where_nothing_tells_what_was_done_nothing_else_is_tried(run):
    class Unsure(Table):
        async def commit(self, change):
            self.changes.append(change)
            raise UnsureError("nft: no answer")

    run.installer = Installer(unsure := Unsure(), run.flows)
    with pytest.raises(UnsureError):
        run.settle(carried())
    assert len(unsure.changes) == 1


def test_of_a_route_that_is_refused_again_and_again_the_log_has_one_line(run, caplog):
    one = carried()
    for _ in range(3):
        fail_once(run.table)
        one.refusal = ""
        run.settle(one)
    assert [r.event for r in caplog.records] == ["rules_refused"]


def test_flows_of_a_removed_route_are_seen_off_also_where_others_are_left_to_the_relay(run):
    one, other = carried(), carried(port=6380)
    run.settle(one, other)
    other.learn("10.0.0.1", ("10.0.0.9",))
    fail_once(run.table)
    run.settle(other, removed=[one])
    assert [name for name, *_ in run.flows.seen_off] == ["r6379"]


def test_flows_that_cannot_be_seen_to_are_no_reason_to_undo_what_is_installed(run, caplog):
    async def failing(*_):
        raise PlaneError("netlink: no")

    one = carried("db")
    one.learn("db", ("10.0.0.1",))
    run.settle(one)
    run.flows.left = failing
    one.learn("db", ("10.0.0.2",))
    run.settle(one, strict=True)
    assert one.belongs == {("10.0.0.2", 7000)}
    assert [r.event for r in caplog.records] == ["flows_left"]


def test_withdrawn_routes_are_still_counted(run):
    one = carried()
    run.settle(one)
    asyncio.run(run.installer.withdraw([one]))
    last = run.table.changes[-1]
    assert (list(last.before), last.uncounted) == ([(False, Proto.TCP, 6379)], [])
    assert (one.ways, one.counted) == ({}, True)


def fail_once(table):
    commit = table.commit

    async def failing(change):
        table.commit = commit
        raise PlaneError("nft: no")

    table.commit = failing


def test_a_held_route_lets_its_flows_rest_and_the_policy_of_one_change_counts_once(run):
    one = carried("10.0.0.1")
    run.settle(one)
    one.route = replace(one.route, hold=Hold())
    run.settle(one)
    assert (run.flows.rested, run.flows.seen_off) == ([{("10.0.0.1", 7000)}], [])
    assert one.ways == {}
    one.route = replace(one.route, hold=None, endpoints=(Endpoint(Inet("10.0.0.2", 7000)),))
    one.learn_literals()
    one.once = Existing()
    run.settle(one)
    assert run.flows.seen_off == [
        ("r6379", {("10.0.0.1", 7000)}, Departure(Reason.MOVED, Existing()))
    ]
    assert one.once is None
    assert one.belonged == {("10.0.0.1", 7000)}
    one.route = replace(one.route, endpoints=(Endpoint(Inet("10.0.0.3", 7000)),))
    one.learn_literals()
    run.settle(one)
    assert run.flows.seen_off[-1] == ("r6379", {("10.0.0.2", 7000)}, MOVED)


def without(one, existing=CUT, *, led=True):
    """Return the successor of `one` that has no endpoint."""
    then = replace(one.route, endpoints=(), led=led, existing=existing, hold=Hold(5.0))
    return one.successor(then, None)


def test_open_flows_to_a_primary_before_are_stopped_in_the_same_transaction(run):
    told = []
    run.installer.flows_stopped = lambda: told.append(True)
    one = carried()
    run.settle(one)
    run.settle(without(one))
    assert [change.stopped for change in run.table.changes] == [
        set(),
        {Stop(6379, "10.0.0.1", 7000)},
    ]
    assert told == [True]


def test_they_are_stopped_also_where_no_new_client_was_led_there_any_longer(run):
    one = carried()
    run.settle(one)
    waiting = one.successor(replace(one.route, led=True, hold=Hold(5.0)), None)
    run.settle(waiting)
    run.settle(without(waiting))
    assert run.table.changes[-1].stopped == {Stop(6379, "10.0.0.1", 7000)}


@pytest.mark.parametrize(
    ("existing", "led"),
    [
        (CUT, False),
        (Existing(by=((Reason.DEMOTED, Existing(Fate.CUT, rate=5)),)), True),
        (Existing(by=((Reason.DEMOTED, Existing(Fate.DRAIN, 5.0)),)), True),
    ],
)
def test_flows_that_go_on_for_a_while_are_not_stopped(run, existing, led):
    one = carried()
    run.settle(one)
    run.settle(without(one, existing, led=led))
    assert run.table.changes[-1].stopped == set()


def test_where_the_primary_is_the_same_again_flows_to_it_are_stopped_no_longer(run):
    one = carried()
    run.settle(one)
    frozen = without(one)
    run.settle(frozen)
    again = frozen.successor(replace(one.route, led=True), None)
    again.learn_literals()
    run.settle(again)
    assert run.table.changes[-1].resumed == {Stop(6379, "10.0.0.1", 7000)}


def test_what_has_been_lifted_need_not_be_resumed(run):
    one = carried()
    run.settle(one)
    frozen = without(one)
    run.settle(frozen)
    asyncio.run(run.installer.lift())
    again = frozen.successor(replace(one.route, led=True), None)
    again.learn_literals()
    run.settle(again)
    assert run.table.changes[-2] == "lift"
    assert run.table.changes[-1].resumed == set()
