"""Changes that nobody waits for: installed soon, and tried again until nft has taken them."""

import asyncio

import pytest

from ambassador.errors import PlaneError, UnsureError
from ambassador.model import Endpoint, Inet, Route
from ambassador.planes.kernel import retries
from ambassador.planes.kernel.changes import Changes
from ambassador.planes.kernel.registry import Registry
from ambassador.planes.kernel.route import KernelRoute


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(retries, "_FIRST", 0.001)


class Table:
    unsure = False

    def __init__(self):
        self.made_sure = 0
        self.led = []

    def give_way(self, reason):
        self.led.append(reason)

    def lead(self):
        self.led.append("")

    async def make_sure(self):
        self.made_sure += self.unsure
        self.unsure = False


class Installer:
    """Fails as `outcomes` say, False: left to the relay; then succeeds."""

    def __init__(self, table, *outcomes):
        self.table = table
        self.outcomes = list(outcomes)
        self.done = []
        self.quiet = asyncio.Event()

    async def settle(self, routes):
        self.done.append(sorted(one.route.name for one in routes))
        outcome = self.outcomes.pop(0) if self.outcomes else True
        if isinstance(outcome, UnsureError):
            self.table.unsure = True
        if isinstance(outcome, Exception):
            raise outcome
        for one in routes:
            one.standing = ""
        if outcome and not self.outcomes:
            self.quiet.set()
        return outcome


def run(*outcomes, change=("a",)):
    """Have the routes named `change` changed, of `a` and `b`; return what was done."""

    async def running():
        routes, table = Registry(), Table()
        known = [
            KernelRoute(Route(name, Inet("", port), (Endpoint(Inet("10.0.0.1", 1)),)))
            for port, name in enumerate("ab", 1)
        ]
        routes.swap((), known)
        installer = Installer(table, *outcomes)
        changes = Changes(routes, table, installer, asyncio.Lock(), lambda _one: "")
        for one in known:
            if one.route.name in change:
                changes.change(one)
        async with asyncio.timeout(5):
            await installer.quiet.wait()
        changes.close()
        changes.change(known[0])
        await asyncio.sleep(0)
        return installer.done, known, table

    return asyncio.run(running())


def test_changes_of_one_moment_are_one_transaction():
    done, *_ = run(change=("a", "b"))
    assert done == [["a", "b"]]


@pytest.mark.parametrize("failure", [PlaneError("nft: no"), False])
def test_what_fails_is_tried_again_and_only_that(failure):
    done, *_ = run(failure, failure)
    assert done == [["a"]] * 3


def test_what_stands_although_it_should_not_is_said_once_and_shown_until_it_is_gone(caplog):
    _, known, table = run(PlaneError("nft: no"), PlaneError("nft: no"))
    assert table.led == ["nft: no", "nft: no", ""]  # new clients are not led by it meanwhile
    assert [(one.event, one.message) for one in caplog.records] == [
        ("rules_left", "a  the rules are not as they should be: nft: no")
    ]
    assert known[0].standing == ""
    known[0].standing = "nft: no"
    assert known[0].status().why == "its rules are not as they should be: nft: no"


def test_where_nothing_tells_what_stands_that_is_put_right_first():
    done, _, table = run(UnsureError("nft: no answer"))
    assert done == [["a"]] * 2
    assert table.made_sure == 1


def test_that_is_put_right_also_when_no_route_is_left():
    async def running():
        table = Table()
        table.unsure = True
        changes = Changes(Registry(), table, Installer(table), asyncio.Lock(), lambda _one: "")
        changes.failed(())
        async with asyncio.timeout(5):
            while table.unsure:
                await asyncio.sleep(0.001)
        changes.close()

    asyncio.run(running())


@pytest.mark.parametrize("times", [1, 2])
def test_what_stops_flows_is_taken_away_once_after_the_last_that_were_stopped(monkeypatch, times):
    monkeypatch.setattr("ambassador.planes.kernel.changes.STOPPED", 0.001)

    async def running():
        lifted = []
        done = asyncio.Event()
        table = Table()
        installer = Installer(table)

        async def lift():
            lifted.append(True)
            done.set()
            raise PlaneError("nft: no")

        installer.lift = lift
        changes = Changes(Registry(), table, installer, asyncio.Lock(), lambda _route: "")
        for _ in range(times):
            installer.flows_stopped()
        await asyncio.wait_for(done.wait(), 5)
        changes.close()
        return lifted

    assert asyncio.run(running()) == [True]
