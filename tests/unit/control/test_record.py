"""Changes are noted, and kept where there is a place for them; that there is none stops nobody."""

import asyncio

from ambassador.control.record import Record
from ambassador.core.wish import Wish
from ambassador.errors import RunError, StoreError
from ambassador.model import Hold, Inet, Proto, Route

KEY = (Proto.TCP, Inet("", 6379))
HELD = Wish(*KEY, "redis", "ann", 1.0, "redis held", hold=Hold())


class Store:
    def __init__(self, failure=None):
        self.kept, self.failure = (), failure

    def load(self):
        return self.kept

    def save(self, history):
        if self.failure:
            raise self.failure
        self.kept = history


def note(record, after=HELD):
    asyncio.run(record.note({}, {KEY: after}, who="ann", when=1.0, what="held"))


def test_a_change_is_kept_and_there_again():
    store = Store()
    note(Record(store))
    record = Record(store)
    record.load()
    assert [one.what for one in record.told(None, 9).changes] == ["redis held"]


def test_a_failure_is_noted():
    record = Record(None)
    route = Route("redis", KEY[1], ())
    asyncio.run(record.note_failure(route, "ann", 1.0, "move", RunError("no answer")))
    assert record.told(KEY, 9).changes[0].outcome == "failed: no answer"


def test_what_changes_nothing_is_not_written():
    record = Record(Store(StoreError("full")))
    asyncio.run(record.note({KEY: HELD}, {KEY: HELD}, who="ann", when=1.0, what="held"))
    assert record.history == ()


def test_a_disk_that_is_full_stops_nobody(caplog):
    record = Record(Store(StoreError("the disk is full")))
    note(record)
    assert len(record.history) == 1
    assert "the history is not kept: the disk is full" in caplog.text
