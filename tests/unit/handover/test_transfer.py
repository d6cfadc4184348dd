"""All parts are lent or none, and each hears how it went."""

from contextlib import asynccontextmanager

import pytest

from ambassador.errors import RunError
from ambassador.handover.transfer import Estate


class Transferable:
    def __init__(self, name, told, fails=False):
        self.name, self.told, self.fails = name, told, fails

    async def lend(self):
        if self.fails:
            raise RunError("no")
        self.told.append(f"{self.name} lends")
        return [self.name]

    def pause(self):
        self.told.append(f"{self.name} pauses")

    async def take_back(self):
        self.told.append(f"{self.name} takes back")

    def give_up(self):
        self.told.append(f"{self.name} gives up")


def estate(told, *parts):
    @asynccontextmanager
    async def still():
        told.append("still")
        yield ("wish",)
        told.append("moves again")

    async def legacy():
        return b"numbers", ()

    def gone(pid):
        told.append(f"gone {pid}")

    return Estate(parts, lambda: ["api"], still, "+".join, gone, legacy=legacy)


@pytest.mark.asyncio
async def test_it_goes_in_this_order():
    told = []
    it = estate(told, Transferable("relay", told), Transferable("kernel", told))
    assert await it.lend() == (["api", "relay", "kernel"], b"wish")
    it.pause()
    await it.give_up(7)
    assert told == [
        *("still", "relay lends", "kernel lends", "relay pauses", "kernel pauses"),
        *("relay gives up", "kernel gives up", "gone 7", "moves again"),
    ]


@pytest.mark.asyncio
async def test_it_is_taken_back_and_can_be_lent_again():
    told = []
    it = estate(told, Transferable("relay", told))
    for _ in range(2):
        await it.lend()
        await it.take_back()
    assert told == ["still", "relay lends", "relay takes back", "moves again"] * 2


@pytest.mark.asyncio
async def test_where_one_part_cannot_none_is_lent():
    told = []
    with pytest.raises(RunError):
        await estate(
            told, Transferable("relay", told), Transferable("kernel", told, fails=True)
        ).lend()
    assert told == ["still", "relay lends", "relay takes back", "moves again"]
