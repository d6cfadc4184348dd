"""When a table that others change is put back, and what is said of it."""

import asyncio

from ambassador.errors import PlaneError
from ambassador.planes.kernel import healing
from ambassador.planes.kernel.healing import Healing, next_pause


def test_the_first_time_at_once_then_after_pauses_that_grow_up_to_half_a_minute():
    pauses = [next_pause(0.0, float("inf"))]
    for _ in range(9):
        pauses.append(next_pause(pauses[-1], 1.0))
    assert pauses == [0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_after_a_quiet_minute_at_once_again():
    assert next_pause(30.0, 59.0) == 30.0
    assert next_pause(30.0, 61.0) == 0.0


class Table:
    """Cannot be put back the first `failures` times."""

    def __init__(self, failures=0):
        self.failures = failures
        self.restored = 0
        self.whole = asyncio.Event()

    async def restore(self):
        if self.failures:
            self.failures -= 1
            raise PlaneError("nft: no")
        self.restored += 1
        self.whole.set()


def heal(table, *, after=lambda _one: None, programs=("nft",)):
    async def healing_it():
        one = Healing(table.restore)
        assert not one.why
        for program in programs:
            one.suspect(program)
        after(one)
        await asyncio.wait_for(table.whole.wait(), 5)
        await asyncio.sleep(0)
        assert not one.why
        one.close()

    asyncio.run(healing_it())


def test_it_is_said_what_is_wrong_and_by_whom_until_it_is_whole(caplog):
    def look(one):
        assert one.why == "the rules were changed by another program (firewalld), and are put back"

    table = Table()
    heal(table, after=look, programs=["firewalld"])
    assert table.restored == 1
    (told,) = [one.getMessage() for one in caplog.records if one.event == "rules_restored"]
    assert "another program (firewalld) changed our table inet ambassador" in told


def test_what_happens_before_it_begins_is_put_right_once():
    table = Table()
    heal(table, programs=["nft", "nft", ""])
    assert table.restored == 1


def test_a_failure_is_said_once_and_tried_again(caplog, monkeypatch):
    monkeypatch.setattr(healing, "_SHORTEST", 0.01)
    table = Table(failures=3)
    heal(table)
    assert table.restored == 1
    told = [one.getMessage() for one in caplog.records if one.event == "rules_not_restored"]
    assert len(told) == 1
    assert "it cannot be put back: nft: no" in told[0]


def test_closed_it_puts_nothing_back():
    async def closing():
        table = Table()
        one = Healing(table.restore)
        one.suspect("nft")
        one.close()
        one.suspect("nft")
        await asyncio.sleep(0.01)
        assert not table.restored

    asyncio.run(closing())
