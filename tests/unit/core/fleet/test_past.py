"""What an undo takes back."""

import pytest

from ambassador.core.fleet.past import to_undo
from ambassador.core.fleet.records import Entry


@pytest.mark.parametrize(
    ("history", "number"),
    [
        ({}, None),
        ({1: ("move", 0)}, 1),
        ({1: ("move", 0), 2: ("move", 0)}, 2),
        ({1: ("move", 0), 2: ("move", 0), 3: ("undo", 2)}, 1),
        ({1: ("move", 0), 2: ("undo", 1)}, None),
        ({1: ("move", 0), 2: ("move", 0), 3: ("abort", 2)}, 1),
        ({1: ("move", 0), 2: ("undo", 1), 3: ("move", 0)}, 3),
        ({2: ("undo", 1)}, None),  # what it took back is not kept any longer
    ],
)
def test_the_last_move_that_stands_is_taken_back(history, number):
    entries = {n: Entry(what, (), (), of=of) for n, (what, of) in history.items()}
    assert to_undo(entries) == number
