"""What ports.HistoryStore promises, of each store."""

import pytest

from ambassador.core.history import Change
from ambassador.core.wish import Wish
from ambassador.errors import StoreError
from ambassador.handover.successor import HandedHistory
from ambassador.model import Endpoint, Hold, Inet, Proto, Route
from ambassador.sources.env import EnvironmentSource
from ambassador.store import FileHistory

PLACE = (Proto.TCP, Inet("", 6379))
ADDED = Route("db", Inet("", 5432), (Endpoint(Inet("db1", 5432)),), alias="db", port=5432)
HISTORY = (
    Change(1, *PLACE, "redis", 1764000000.25, "uid 0", "redis held"),
    Change(
        2, *PLACE, "redis", 1764000001.0, "uid 0", "redis moved", before=Wish(*PLACE, "redis",
        hold=Hold(3.0, 7)),
    ),
    Change(3, *PLACE, "redis", 1764000002.0, "uid 1", "redis moved", "failed: no", undoable=False),
    Change(4, *ADDED.key, "db", 1764000003.0, "uid 0", "db removed",
           before=Wish(*ADDED.key, "db", added=ADDED)),
)  # fmt: skip


def read(assignments):
    return EnvironmentSource({}, assignments).read()


def file(folder):
    return FileHistory(folder, read)


def handed(folder):
    return HandedHistory("", file(folder).decode, file(folder))


@pytest.mark.parametrize("make", [file, handed])
class TestHistoryStore:
    def test_before_anything_was_saved_there_is_nothing(self, make, tmp_path):
        assert make(tmp_path).load() == ()

    def test_what_was_saved_is_there_for_the_next_program(self, make, tmp_path):
        make(tmp_path).save(HISTORY)
        assert file(tmp_path).load() == HISTORY

    def test_where_it_cannot_be_saved_what_was_saved_before_still_is(self, make, tmp_path):
        make(tmp_path).save(HISTORY)
        with pytest.raises(StoreError):
            make(tmp_path / "gone").save(())
        assert file(tmp_path).load() == HISTORY


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", '{"version": 2, "changes": []}', '{"version": 1, "changes": [{}]}', "\xff"),
        FileHistory.encode(HISTORY).replace("6379", "700000"),
        FileHistory.encode(HISTORY).replace("1764000000.25", "1e400"),
    ],
)
def test_what_makes_no_sense_is_left_and_nothing_is_known(tmp_path, text):
    store = file(tmp_path)
    store.path.write_text(text, encoding="latin-1")
    assert store.load() == ()
    assert store.path.read_text(encoding="latin-1") == text


def test_what_was_handed_over_is_what_was_saved_last(tmp_path):
    text = FileHistory.encode(HISTORY)
    assert HandedHistory(text, file(tmp_path).decode, None).load() == HISTORY
    assert HandedHistory("no JSON", file(tmp_path).decode, None).load() == ()
