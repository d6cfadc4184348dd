"""Whose table it is, and what the first transaction does with it."""

import asyncio
import os

import pytest

from ambassador.errors import PlaneError
from ambassador.model import Proto
from ambassador.planes.kernel import table
from ambassador.planes.kernel.layout import LAYOUT, skeleton
from ambassador.planes.kernel.nft import Found
from ambassador.planes.kernel.ruleset import Share, Way, emptied
from ambassador.planes.kernel.table import Change, Table, inherit, retire


@pytest.fixture(autouse=True)
def _a_lock_of_our_own(monkeypatch, request):
    """Another ambassador may run on this machine."""
    monkeypatch.setattr(table, "LOCK", f"\0ambassador/{request.node.name}/{os.getpid()}")


WAY = Way(Proto.TCP, 6379, False, (Share("10.0.0.1", 1),))


class Nft:
    """Notes what it is told to do; `found` is what stands there."""

    def __init__(self, found=None, failure=""):
        self.texts = []
        self.counted = {}
        self.found = found
        self.failure = failure

    async def table(self):
        return self.found

    async def counters(self):
        return self.counted

    async def run(self, text):
        if self.failure:
            raise PlaneError(self.failure)
        self.texts.append(text)
        return ""


def test_where_nothing_is_the_table_is_made():
    assert inherit(None) == skeleton()


def test_what_an_earlier_one_of_this_layout_left_is_emptied_and_kept():
    chains = ("one4", "spread4_tcp_1")
    assert inherit(Found(LAYOUT, chains)) == emptied(chains)
    assert "delete table" not in emptied(chains)


def test_another_layout_is_replaced_in_the_same_transaction():
    assert inherit(Found("ambassador 0", ("old",))) == skeleton()


@pytest.mark.parametrize("comment", ["", "mine", "ambassador", "ambassador 1 of mine"])
def test_what_no_ambassador_made_is_not_touched(comment):
    with pytest.raises(PlaneError, match="that no ambassador has made"):
        inherit(Found(comment, ()))


def use(nft, *changes):
    async def using():
        ours = Table(nft)
        await ours.open()
        try:
            for change in changes:
                await ours.commit(change)
        finally:
            await ours.remove()
            ours.close()

    asyncio.run(using())
    return nft.texts


def test_the_table_comes_with_the_first_change_and_goes_at_the_end():
    first, second, last = use(Nft(), Change(after={WAY.key: WAY}), Change(before={WAY.key: WAY}))
    assert first.startswith(skeleton())
    assert "to4 { tcp . 6379 : 10.0.0.1 . 1 }" in first
    assert second == (
        "delete element inet ambassador any4 { tcp . 6379 }\n"
        "delete element inet ambassador to4 { tcp . 6379 }\n"
    )
    assert last == "delete table inet ambassador\n"


def test_without_a_route_there_is_no_table():
    assert use(Nft(), Change()) == []


def test_a_table_that_was_left_is_emptied_even_without_a_route():
    emptying, removing = use(Nft(Found(LAYOUT, ())), Change())
    assert emptying == emptied(())
    assert removing == "delete table inet ambassador\n"


def counting(nft, steps):
    """Open a table and take `steps` with it, changes and calls; return what is counted then."""

    async def using():
        ours = Table(nft)
        await ours.open()
        for step in steps:
            if isinstance(step, Change):
                await ours.commit(step)
            else:
                step(nft)
                if nft.found is not None and nft.found.comment != LAYOUT:
                    await ours.look_again()
                await ours.counters()
        counted = await ours.counters()
        ours.close()
        return {name: dict(at) for name, at in counted.items()}

    return asyncio.run(using())


def now(**counters):
    def become(nft):
        nft.counted = counters

    return become


REDIS, DNS = (Proto.TCP, 6379), (Proto.UDP, 53)


def test_what_another_has_counted_before_us_stays_in_the_table_and_is_not_ours():
    nft = Nft(Found(LAYOUT, ()))
    nft.counted = {"tried4": {}, "opened_tcp": {6379: (5, 300)}, "opened_udp": {53: (2, 80)}}
    later = now(opened_tcp={6379: (7, 420)}, opened_udp={53: (2, 80)})
    assert counting(nft, [Change(counted=[REDIS]), later])["opened_tcp"] == {6379: (2, 120)}
    assert "delete" not in nft.texts[0]


def test_a_port_that_another_counted_begins_anew_when_it_is_ours_later():
    nft = Nft(Found(LAYOUT, ()))
    nft.counted = {"opened_udp": {53: (2, 80)}}
    steps = [Change(counted=[REDIS]), Change(counted=[DNS]), now(opened_udp={53: (1, 40)})]
    assert counting(nft, steps)["opened_udp"] == {53: (1, 40)}
    assert nft.texts[1].startswith("delete element inet ambassador opened_udp { 53 }\n")


def test_a_port_that_was_ours_and_is_again_begins_anew():
    nft = Nft(Found(LAYOUT, ()))
    nft.counted = {"opened_tcp": {6379: (5, 300)}}
    steps = [
        *(Change(counted=[REDIS]), Change(uncounted=[REDIS]), Change(counted=[REDIS])),
        now(opened_tcp={6379: (1, 60)}),
    ]
    assert counting(nft, steps)["opened_tcp"] == {6379: (1, 60)}


def test_counts_go_on_when_another_layout_has_stood_in_place_of_ours():
    nft = Nft()

    def replaced(nft):
        nft.counted, nft.found = {"opened_tcp": {6379: (9, 540)}}, Found("ambassador 0", ())

    def ours(nft):
        nft.counted, nft.found = {"opened_tcp": {6379: (1, 60)}}, None

    steps = [
        *(Change(counted=[REDIS]), now(opened_tcp={6379: (4, 240)}), replaced),
        *(Change(counted=[REDIS]), ours),
    ]
    assert counting(nft, steps)["opened_tcp"] == {6379: (5, 300)}


def test_one_ambassador_a_namespace():
    async def two():
        first, second = Table(Nft()), Table(Nft())
        await first.open()
        with pytest.raises(PlaneError, match="another ambassador"):
            await second.open()
        first.close()
        await second.open()
        second.close()

    asyncio.run(two())


def test_one_that_relays_takes_the_routes_out_of_what_was_left():
    nft = Nft(Found(LAYOUT, ("spread4_tcp_1",)))
    asyncio.run(retire(nft))
    assert nft.texts == [emptied(("spread4_tcp_1",))]


@pytest.mark.parametrize("found", [None, Found("mine", ())])
def test_one_that_relays_touches_nothing_else(found):
    nft = Nft(found)
    asyncio.run(retire(nft))
    assert nft.texts == []


def test_one_that_relays_does_not_mind_a_failure():
    asyncio.run(retire(Nft(Found(LAYOUT, ()), failure="nft: no")))
