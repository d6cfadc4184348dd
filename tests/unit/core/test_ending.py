"""What goes on for a while, written for another process and read by it."""

import json

import pytest

from ambassador.core.ending import DrainUntil, SlowCut, decode, encode
from ambassador.model import Inet, Proto, Unix

ENDINGS = (
    DrainUntil((Proto.TCP, Inet("", 6379)), Inet("db1", 5432), "redis", 12.5, 30.0),
    DrainUntil((Proto.UDP, Inet("::1", 53, 60)), Inet("fd00::52", 53), "dns", 0.0, 1.0),
    DrainUntil((Proto.TCP, Unix("/run/a.sock")), Unix("/run/b.sock"), "a", 0.25, 1.5),
    SlowCut(("r1.1", "r1.2@4711"), 50),
)


def test_what_is_read_is_what_was_written():
    assert decode(json.loads(json.dumps(encode(ENDINGS)))) == ENDINGS


@pytest.mark.parametrize(
    "written", [None, 5, [5], [{}], [{"rate": "x", "ids": []}], [{"proto": "tcp", "listen": "?"}]]
)
def test_what_makes_no_sense_is_nothing(written):
    assert decode(written) == ()
