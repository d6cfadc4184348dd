"""What ports.MemoryStore promises, of each store; who reports to ports.LeadReported is shown by the
scenario of a route that follows.
"""

import pytest

from ambassador.app.kept import HandedMemories
from ambassador.core.follow.memory import Memory, encode
from ambassador.errors import StoreError
from ambassador.model import Inet, Proto
from ambassador.store import FileMemories

KEY = (Proto.TCP, Inet("", 6379))
MEMORIES = {KEY: Memory("sentinel://s1:26379/m", Inet("10.0.0.1", 6379), '{"epoch": 6}')}


def file(folder):
    return FileMemories(folder)


def handed(folder):
    return HandedMemories("", FileMemories(folder))


@pytest.mark.parametrize("make", [file, handed])
class TestMemoryStore:
    def test_before_anything_was_saved_there_is_nothing(self, make, tmp_path):
        assert make(tmp_path).load() == {}

    def test_what_was_saved_is_there_for_the_next_program(self, make, tmp_path):
        make(tmp_path).save(MEMORIES)
        assert FileMemories(tmp_path).load() == MEMORIES

    def test_where_it_cannot_be_saved_what_was_saved_before_still_is(self, make, tmp_path):
        make(tmp_path).save(MEMORIES)
        (tmp_path / "primaries.json").chmod(0o400)
        with pytest.raises(StoreError):
            make(tmp_path / "gone").save({})
        assert FileMemories(tmp_path).load() == MEMORIES


def test_what_makes_no_sense_is_not_remembered(tmp_path):
    (tmp_path / "primaries.json").write_text("{")
    assert FileMemories(tmp_path).load() == {}


def test_what_was_handed_over_is_what_was_saved_last():
    assert HandedMemories(encode(MEMORIES), None).load() == MEMORIES
    assert HandedMemories("no JSON", None).load() == {}
