"""Whose table it is, and what the first transaction does with it."""

import asyncio
import os
import socket

import pytest

from ambassador.errors import PlaneError
from ambassador.model import Proto
from ambassador.planes.kernel import table
from ambassador.planes.kernel.layout import LAYOUT, mended, skeleton
from ambassador.planes.kernel.nft import Found
from ambassador.planes.kernel.ruleset import (
    Share,
    Way,
    count,
    emptied,
    lease,
    transaction,
    uncount,
)
from ambassador.planes.kernel.table import Table, foreign, inherit, retire
from ambassador.planes.kernel.transaction import Change


@pytest.fixture(autouse=True)
def _a_lock_of_our_own(monkeypatch, request):
    """Another ambassador may run on this machine."""
    monkeypatch.setattr(table, "LOCK", f"\0ambassador/{request.node.name}/{os.getpid()}")


WAY = Way(Proto.TCP, 6379, False, (Share("10.0.0.1", 1),))


class Nft:
    """Notes what it is told to do; `found` is what stands there."""

    def __init__(self, found=None, failure=""):
        self.texts = []
        self.found = found
        self.failure = failure

    async def table(self):
        return self.found

    async def counters(self):
        return {"opened_tcp": {6379: (3, 180), 5432: (1, 60)}, "up_udp": {53: (1, 30)}}

    async def run(self, text):
        if self.failure:
            raise PlaneError(self.failure)
        self.texts.append(text)
        return ""


class Owner:
    """Stands for the table that the kernel deletes with a process."""

    def __init__(self, can=True):
        self.can = can
        self.alive = None

    def open(self, *, alive):
        self.alive = alive
        return self.can

    def turn(self, *, alive):
        if not self.can:
            raise PlaneError("no")
        self.alive = alive

    def close(self):
        self.alive = None


def table_of(nft, *args, **options):
    return Table(nft, *args, owner=options.pop("owner", None) or Owner(), **options)


TIED = lease(lasting=False)


def test_where_nothing_is_the_table_is_made():
    assert inherit(None) == skeleton()


def test_what_an_earlier_one_of_this_layout_left_is_emptied_and_kept():
    chains = ("one4", "spread4_tcp_1")
    assert inherit(Found(LAYOUT, chains)) == mended() + emptied(chains)
    assert "delete table" not in emptied(chains)


def test_another_layout_is_replaced_in_the_same_transaction():
    assert inherit(Found("ambassador 0", ("old",))) == skeleton()


@pytest.mark.parametrize("comment", ["", "mine", "ambassador", "ambassador 1 of mine"])
def test_what_no_ambassador_made_is_not_touched(comment):
    with pytest.raises(PlaneError, match="that no ambassador has made"):
        inherit(Found(comment, ()))


def use(nft, *changes):
    async def using():
        ours = table_of(nft)
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


def test_what_the_one_before_has_counted_goes_on():
    async def using(nft):
        lock = socket.socket(socket.AF_UNIX)
        ours = table_of(nft, lock)
        await ours.open()
        await ours.commit(Change(counted=[(Proto.TCP, 6379)]))
        await ours.commit(Change(counted=[(Proto.TCP, 5432), (Proto.TCP, 80)]))
        ours.close()

    nft = Nft(Found(LAYOUT, ()))
    asyncio.run(using(nft))
    first, second = nft.texts
    assert first == mended() + emptied((), counters=False) + TIED + count([(Proto.TCP, 6379)])
    # a route that comes later counts from nothing
    assert second == uncount([(Proto.TCP, 5432)]) + count([(Proto.TCP, 5432), (Proto.TCP, 80)])


def test_what_a_killed_one_has_counted_is_forgotten():
    emptying, _ = use(Nft(Found(LAYOUT, ())), Change(counted=[(Proto.TCP, 6379)]))
    assert emptying == mended() + emptied(()) + TIED + count([(Proto.TCP, 6379)])
    assert "flush set inet ambassador opened_tcp" in emptying


def test_without_a_route_there_is_no_table():
    assert use(Nft(), Change()) == []


def test_a_table_that_was_left_is_emptied_even_without_a_route():
    emptying, removing = use(Nft(Found(LAYOUT, ())), Change())
    assert emptying == mended() + emptied(()) + TIED
    assert removing == "delete table inet ambassador\n"


def test_one_ambassador_a_namespace():
    async def two():
        first, second = table_of(Nft()), table_of(Nft())
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
    # What was counted stays: the one we take over from may go on after all.
    assert nft.texts == [emptied(("spread4_tcp_1",), counters=False) + TIED]


@pytest.mark.parametrize("found", [None, Found("mine", ())])
def test_one_that_relays_touches_nothing_else(found):
    nft = Nft(found)
    asyncio.run(retire(nft))
    assert nft.texts == []


def test_one_that_relays_does_not_mind_a_failure():
    asyncio.run(retire(Nft(Found(LAYOUT, ()), failure="nft: no")))


@pytest.mark.parametrize(("keep_rules", "can"), [(False, True), (True, True), (False, False)])
def test_what_cannot_be_changed_is_let_go_of_where_rules_end_with_their_process(keep_rules, can):
    async def using(nft, owner):
        ours = table_of(nft, owner=owner, keep_rules=keep_rules)
        await ours.open()
        before = owner.alive
        ours.give_way("nft: no")
        ours.give_way("nft: again")
        tied = can and not keep_rules
        assert owner.alive is (False if tied else before)
        assert ours.gives_way.startswith("nft: no; new sessions go to the relay") is tied
        ours.lead()
        assert (ours.gives_way, owner.alive) == ("", before)
        ours.close()

    asyncio.run(using(Nft(), Owner(can)))


@pytest.mark.parametrize(
    ("keep_rules", "can", "lasting"),
    [(False, True, False), (True, True, True), (False, False, True), (True, False, True)],
)
def test_rules_end_with_their_process_unless_they_are_to_stay(keep_rules, can, lasting):
    async def using(nft, owner):
        ours = table_of(nft, owner=owner, keep_rules=keep_rules)
        await ours.open()
        assert owner.alive is not keep_rules
        await ours.commit(Change(after={WAY.key: WAY}))
        ours.close()
        assert owner.alive is None

    nft = Nft()
    asyncio.run(using(nft, Owner(can)))
    assert lease(lasting=lasting) in nft.texts[0]
    assert ("add element inet ambassador lease" in nft.texts[0]) is lasting


class Flushed(Nft):
    """Has nothing left of what a change counts on, until the whole is made again."""

    async def run(self, text):
        if "table inet ambassador {" not in text:
            raise PlaneError("nft: No such file or directory")
        return await super().run(text)


def test_a_change_of_what_was_flushed_makes_the_whole_again():
    async def using(nft):
        ours = table_of(nft)
        await ours.open()
        await ours.commit(Change(after={WAY.key: WAY}, counted=[(Proto.TCP, 6379)]))
        await ours.commit(Change(before={WAY.key: WAY}))
        ours.close()

    nft = Flushed()
    asyncio.run(using(nft))
    _, text = nft.texts
    assert text.startswith(mended())
    assert text.endswith(transaction({}, {WAY.key: WAY}) + transaction({WAY.key: WAY}, {}))
    assert count([(Proto.TCP, 6379)]) in text


def restored(nft, found):
    async def using():
        ours = table_of(nft)
        await ours.open()
        await ours.commit(Change(after={WAY.key: WAY}))
        nft.found = found
        try:
            await ours.restore()
        finally:
            ours.close()

    asyncio.run(using())
    return nft.texts[1:]


@pytest.mark.parametrize("found", [None, Found(LAYOUT, ("one4",)), Found("ambassador 1", ())])
def test_what_another_changed_is_made_whole_again(found):
    (text,) = restored(Nft(), found)
    assert text.startswith(mended())
    assert text.endswith(TIED + transaction({}, {WAY.key: WAY}))


def test_a_table_of_another_in_the_place_of_ours_is_left_alone():
    with pytest.raises(PlaneError, match="that no ambassador has made"):
        restored(Nft(), Found("theirs", ("input",)))


def test_a_table_that_cannot_be_mended_is_replaced():
    class Dormant(Nft):
        async def run(self, text):
            if text.startswith(mended()):
                raise PlaneError("nft: Invalid argument")
            return await super().run(text)

    (text,) = restored(Dormant(), Found(LAYOUT, ()))
    assert text.startswith(skeleton())


def test_chains_that_no_ambassador_makes_are_known():
    made = ("arrive", "one6", "spread4_tcp_1", "udp6_60", "postrouting")
    assert foreign(Found(LAYOUT, (*made, "theirs", "spread"))) == ["theirs", "spread"]
