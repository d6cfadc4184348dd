"""All parts are lent or none, and each hears how it went."""

from contextlib import asynccontextmanager

import pytest

from ambassador.errors import RunError
from ambassador.handover.lending import Lending


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


def lending(told, *parts):
    @asynccontextmanager
    async def still(passes):
        told.append("still")
        yield ("wish",)
        told.append("moves again")

    async def counters():
        return b"numbers", ()

    def gone(pid, sessions):
        told.append(f"gone {pid}, {sessions}")

    class Sessions:
        passing = 1

        def gone(self):
            told.append("sessions go")
            return 3

    return Lending(
        *(parts, lambda: ["api"], still, "+".join, gone), passing=Sessions(), counters=counters
    )


@pytest.mark.asyncio
async def test_it_goes_in_this_order():
    told = []
    it = lending(told, Transferable("relay", told), Transferable("kernel", told))
    assert await it.lend(True) == (["api", "relay", "kernel"], b"wish")
    it.pause()
    await it.give_up(7)
    assert told == [
        *("still", "relay lends", "kernel lends", "relay pauses", "kernel pauses"),
        *("sessions go", "relay gives up", "kernel gives up", "gone 7, 3", "moves again"),
    ]


@pytest.mark.asyncio
async def test_it_is_taken_back_and_can_be_lent_again():
    told = []
    it = lending(told, Transferable("relay", told))
    for _ in range(2):
        await it.lend(True)
        await it.take_back()
    assert told == ["still", "relay lends", "relay takes back", "moves again"] * 2


@pytest.mark.asyncio
async def test_where_one_part_cannot_none_is_lent():
    told = []
    with pytest.raises(RunError):
        await lending(
            told, Transferable("relay", told), Transferable("kernel", told, fails=True)
        ).lend(True)
    assert told == ["still", "relay lends", "relay takes back", "moves again"]


@pytest.mark.asyncio
async def test_a_part_that_fails_when_it_is_given_up_keeps_no_successor_waiting(caplog):
    told = []
    broken = Transferable("relay", told)

    def fails():
        raise KeyError("a bug")

    broken.give_up = fails
    it = lending(told, broken, Transferable("kernel", told))
    await it.lend(True)
    await it.give_up(7)
    assert told[-3:] == ["kernel gives up", "gone 7, 3", "moves again"]
    assert "KeyError" in caplog.text
