"""What ports.StateStore promises, of each store."""

from __future__ import annotations

import pytest

from ambassador.app.assemble import assigned
from ambassador.core.wish import Wish
from ambassador.handover.successor import HandedStore
from ambassador.model import Admin, Hold, Inet, Proto
from ambassador.store import FileStore

WISHES = (
    Wish(Proto.TCP, Inet("", 6379), "redis", who="ann", when=1.0, what="held", hold=Hold(5.0, 7)),
    Wish(Proto.UDP, Inet("", 53), "dns", admin=((Inet("10.0.0.1", 53), Admin.MAINT),)),
)


def file(folder):
    return FileStore(folder, assigned)


def handed(folder):
    return HandedStore("", lambda _text: (), FileStore(folder, assigned))


@pytest.mark.parametrize("make", [file, handed])
class TestStore:
    def test_before_anything_was_saved_there_is_nothing(self, make, tmp_path):
        assert make(tmp_path / "state").load() == ()

    def test_what_was_saved_is_there_for_the_next_program(self, make, tmp_path):
        it = make(tmp_path / "state")
        it.load()
        it.save(WISHES)
        assert set(FileStore(tmp_path / "state", assigned).load()) == set(WISHES)

    def test_it_takes_the_place_of_what_was_saved_before(self, make, tmp_path):
        it = make(tmp_path / "state")
        it.load()
        for wishes in (WISHES, WISHES[:1], ()):
            it.save(wishes)
            assert FileStore(tmp_path / "state", assigned).load() == wishes


def test_what_was_handed_over_comes_before_what_is_on_disk(tmp_path):
    FileStore(tmp_path, assigned).save(WISHES)
    text = FileStore.encode(WISHES[:1])
    it = HandedStore(text, FileStore(tmp_path, assigned).decode, FileStore(tmp_path, assigned))
    assert it.load() == WISHES[:1]
