"""The transaction that makes the table which goes with this process; the kernel judges it in
tests/kernel/test_owner.py.
"""

import pytest

from ambassador.planes.kernel.messages import messages
from ambassador.planes.kernel.owned import batch
from ambassador.planes.kernel.owner import chains


class Numbers:
    """Counts as a socket does."""

    def __init__(self):
        self.last = 0

    def sequence(self):
        self.last += 1
        return self.last


@pytest.mark.parametrize(
    ("alive", "kinds"),
    [
        (True, [16, 0xA00, 0xA03, 0xA06, 0xA03, 0xA06, 17]),
        (False, [16, 0xA00, 0xA03, 0xA03, 17]),
    ],
)
def test_it_is_one_batch_with_a_rule_only_where_it_stands_for_a_process(alive, kinds):
    numbers = Numbers()
    whole = b"".join(batch("ambassador-1", chains(alive=alive), numbers.sequence))
    found = [(kind, number) for kind, number, *_ in messages(whole)]
    assert [kind for kind, _ in found] == kinds
    assert found[-2][1] == numbers.last  # the last that is answered
    assert whole.count(b"ambassador-1\0") == len(kinds) - 2
