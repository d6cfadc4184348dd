"""What processes share: numbers and letter boxes."""

import os

from ambassador.planes.relay.shared import ABSENT, COLUMNS, LOAD, VERSION, Shared
from tests.relay.running import descriptors


def test_another_process_sees_what_one_writes():
    shared = Shared(2)
    copies = tuple(os.dup(one) for one in shared.descriptors)
    other = Shared(2, copies)
    try:
        assert [shared.cells[row * COLUMNS + LOAD] for row in (1, 2)] == [ABSENT, ABSENT]
        shared.cells[VERSION] = 7
        assert other.cells[VERSION] == 7
        shared.boxes[1][1].send(b"door")
        assert other.boxes[1][0].recv(10) == b"door"
    finally:
        shared.close()
        other.close()


def test_nothing_is_left_open():
    before = descriptors()
    Shared(3).close()
    assert descriptors() == before
