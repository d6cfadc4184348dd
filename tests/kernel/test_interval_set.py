"""What the kernel and nft make of sets that come by netlink."""

import asyncio
import re
import shutil

import pytest

from ambassador.errors import PlaneError
from ambassador.model import Proto, Ranges
from ambassador.planes.kernel.entrance import Entrance
from ambassador.planes.kernel.interval_set import made_before
from ambassador.planes.kernel.layout import TABLE, skeleton
from ambassador.planes.kernel.nft import Nft
from ambassador.planes.kernel.ruleset import Share, Way
from ambassador.planes.kernel.table import Table
from ambassador.planes.kernel.transaction import Change
from ambassador.planes.kernel.watch import RulesetWatch

TOP4, TOP6 = (1 << 32) - 1, (1 << 128) - 1


def ranges(number: int, top: int, shift: int = 0) -> Ranges:
    """Return so many ranges: networks, single addresses, ranges that are no network, and one up to
    the last address.
    """
    places = [(one << 12) + shift for one in range(1, number)]
    sizes = [(256, 1, 3)[one % 3] for one in range(1, number)]
    lasts = [place + size - 1 for place, size in zip(places, sizes, strict=True)]
    return Ranges((*places, top - 7), (*lasts, top))


@pytest.fixture
def nft(network):
    return Nft(shutil.which("nft"))


def listed(network, name: str) -> str:
    said = network.ambassador.run("nft", "list", "set", *TABLE.split(), name)
    return re.sub(r"\s+", " ", said.partition("elements =")[2])


@pytest.mark.parametrize("ipv6", [False, True])
def test_nft_reads_the_same_as_if_it_had_made_the_set(network, loop, nft, ipv6):
    one = Entrance(ipv6, ranges(3000, TOP6 if ipv6 else TOP4), "one6" if ipv6 else "one4")

    async def make():
        changed = []
        watch = RulesetWatch(changed.append)
        watch.open()
        try:
            async with watch.ours():
                await nft.run(skeleton())
            async with made_before([one], watch) as made:
                assert made == {one.set}
        finally:
            watch.close()
        assert changed == []  # nobody else was at work

    loop.do(make())
    ours = listed(network, one.set)
    assert len(ours) > 3000 * len("::1, ")
    loop.do(nft.run(f"delete set {TABLE} {one.set}\n{one.elements()}"))
    assert listed(network, one.set) == ours
    # What restores the table finds a set that it can fill again.
    loop.do(nft.run(one.emptied() + one.elements()))
    assert listed(network, one.set) == ours


def test_without_the_table_none_is_made_and_nft_is_asked(network, loop, nft):
    async def make():
        one = Entrance(False, ranges(600, TOP4), "one4")
        async with made_before([one], None) as made:
            assert made == frozenset()

    loop.do(make())


def test_a_set_of_a_transaction_that_fails_is_removed(network, loop, nft):
    one = Entrance(False, ranges(600, TOP4), "one4")

    async def make():
        await nft.run(skeleton())
        with pytest.raises(PlaneError, match="No such file"):
            async with made_before([one], None):
                await nft.run(f"delete chain {TABLE} nothing\n")

    loop.do(make())
    assert one.set not in network.ambassador.run("nft", "list", "sets")


def test_a_change_of_many_networks_leads_clients_through_the_new_set(network, loop, nft):
    def way(shift: int) -> Way:
        share = (Share("10.0.0.1", 1),)
        return Way(Proto.TCP, 6379, False, share, admitted=ranges(600, TOP4, shift))

    ways = [way(one) for one in (0, 0x10000000, 0x20000000)]

    async def change(table: Table, before: Way | None, after: Way) -> None:
        here = {} if before is None else {before.key: before}
        await table.commit(Change(here, {after.key: after}))

    async def make():
        table = Table(nft)
        await table.open()
        try:
            for before, after in zip([None, *ways], ways, strict=False):
                await change(table, before, after)
                said = network.ambassador.run(
                    "nft", "list", "chain", *TABLE.split(), after.entrance.chain
                )
                assert f"@{after.entrance.set} goto one4" in said
            # Another program removes the table: it comes back whole with the next change.
            await nft.run(f"delete table {TABLE}\n")
            await change(table, ways[-1], ways[0])
            await asyncio.sleep(0)
        finally:
            table.close()

    loop.do(make())
    sets = re.findall(r"set (let4_\w+)", network.ambassador.run("nft", "list", "sets"))
    assert sets == [ways[0].entrance.set]
    assert "elements" in network.ambassador.run("nft", "list", "set", *TABLE.split(), sets[0])


def test_a_set_that_is_there_already_is_left_to_nft_at_once(network, loop, nft):
    one = Entrance(False, ranges(3000, TOP4), "one4")

    async def make():
        await nft.run(skeleton())
        for expected in ({one.set}, frozenset()):
            async with asyncio.timeout(3), made_before([one], None) as made:
                assert made == expected
        await nft.run(one.elements())  # as a transaction does then

    loop.do(make())
    assert listed(network, one.set)
