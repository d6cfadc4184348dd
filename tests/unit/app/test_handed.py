"""What is written for the next ambassador is what it reads, part by part."""

from types import SimpleNamespace

import pytest

from ambassador.app.assemble import assigned
from ambassador.app.handed import HISTORY, PRIMARIES, WOKEN, handing, part
from ambassador.core.follow.memory import Memory, decode
from ambassador.core.wish import Wish
from ambassador.model import Hold, Inet, Proto
from ambassador.store import FileHistory, FileStore

KEY = Proto.TCP, Inet("", 6379)
MEMORIES = {KEY: Memory("sentinel://s1:26379/m", Inet("10.0.0.1", 6379), "{}")}


def reconciler():
    """Return what a reconciler knows of followers, and of what was changed."""
    switches = SimpleNamespace(memories=MEMORIES)
    record = SimpleNamespace(history=())
    return SimpleNamespace(switches=switches, record=record, endings=())


def test_each_part_is_read_as_it_was_written(tmp_path):
    wishes = (Wish(*KEY, "redis", hold=Hold(5.0, 7)),)
    handed = handing(reconciler(), lambda: "those of an engine")(wishes).encode()
    assert part(handed, WOKEN) == "those of an engine"
    assert decode(part(handed, PRIMARIES)) == MEMORIES
    assert FileHistory(tmp_path, assigned).decode(part(handed, HISTORY)) == ()
    assert FileStore(tmp_path, assigned).decode(handed.decode()) == wishes


@pytest.mark.parametrize("handed", [None, b"", b"{}", b"[]", b"no JSON"])
def test_of_one_that_told_of_no_part_it_is_empty(handed):
    assert part(handed, WOKEN) == ""
