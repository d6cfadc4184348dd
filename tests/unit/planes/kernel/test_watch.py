"""Which notifications of nftables are of our table; the kernel sends its own in
tests/conformance/test_flush.py.
"""

import pytest

from ambassador.planes.kernel.messages import attribute, message, messages
from ambassador.planes.kernel.watch import touches

TABLE, RULE, ELEMENT = 0xA02, 0xA08, 0xA0E
INET, IP = 1, 2


def told(kind, table, *, family=INET, name=b""):
    body = attribute(1, table) + (attribute(2, name) if name else b"")
    data = message(kind, 0, 0, family, body)
    ((kind, _, begin, end),) = messages(data)
    return touches(data, kind, begin, end)


@pytest.mark.parametrize("kind", [TABLE, RULE, ELEMENT])
def test_what_is_of_our_table_touches_it(kind):
    assert told(kind, b"ambassador\0")


def test_what_is_of_another_table_does_not():
    assert not told(TABLE, b"filter\0")
    assert not told(TABLE, b"ambassador-1a2b3c\0")
    assert not told(TABLE, b"ambassador\0", family=IP)
    assert not told(TABLE, b"")


def test_what_packets_write_themselves_does_not():
    assert not told(ELEMENT, b"ambassador\0", name=b"down_tcp\0")
    assert told(ELEMENT, b"ambassador\0", name=b"any4\0")
