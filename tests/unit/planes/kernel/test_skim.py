"""Connections that are over are passed over, and no others, whatever stands before their state."""

import struct

import pytest

from ambassador.planes.kernel.messages import NEST, attribute
from ambassador.planes.kernel.skim import Skim

OVER, OPEN = (7, 8), (1, 2, 3, 4, 5, 6, 9)


def entry(state, before=b"", inner=b""):
    tcp = inner + attribute(1, bytes([state])) + attribute(2, b"\0")
    protoinfo = attribute(NEST | 4, attribute(NEST | 1, tcp))
    return before + attribute(3, bytes(4)) + protoinfo + attribute(12, bytes(4))


def skim(skim, data, shift=0):
    return skim.over(bytes(shift) + data, shift, shift + len(data))


@pytest.mark.parametrize("before", [b"", attribute(9, bytes(24)), attribute(18, b"\0\1")])
def test_only_what_is_over_is_passed_over(before):
    one = Skim()
    for number, state in enumerate((*OVER, *OPEN, *OVER)):
        assert skim(one, entry(state, before), 4 * number) is (state in OVER)


def test_entries_may_differ():
    one = Skim()
    for size in (0, 8, 8, 4, 0):
        for state in (*OPEN, *OVER):
            assert skim(one, entry(state, attribute(9, bytes(size)))) is (state in OVER)


def test_what_does_not_look_like_a_connection_is_read():
    one = Skim()
    assert not skim(one, b"")
    assert not skim(one, attribute(3, struct.pack(">L", 7)))
    assert not skim(one, entry(7, inner=attribute(5, b"\7")))
    assert not skim(one, attribute(NEST | 4, b""))
    assert skim(one, entry(7))
    assert not skim(one, attribute(3, bytes(4)))
