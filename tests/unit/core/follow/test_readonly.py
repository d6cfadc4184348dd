"""Which member of a MariaDB is not read-only."""

import pytest

from ambassador.core.follow.claims import Event, State
from ambassador.core.follow.readonly import Fact, look
from ambassador.core.follow.stage import Stage

X, Y, Z = ("10.0.0.1", 3306), ("10.0.0.2", 3306), ("10.0.0.3", 3306)
USING = State(Stage.USING, X, "1", frozenset("9"))
ONE, TWO, THREE, LEFT = (Fact(True, number) for number in "1239")
READ_ONLY = Fact(False, "7")


@pytest.mark.parametrize(
    ("state", "x", "y", "z", "gone", "auto", "what"),
    [
        (State(), ONE, READ_ONLY, None, False, False, (Event.ALONE, X)),
        (State(), ONE, TWO, None, False, False, (Event.TIE, None)),
        (State(), READ_ONLY, None, None, False, False, (Event.LOST, None)),
        (USING, ONE, TWO, None, False, False, (Event.SPEAKS, X)),
        (USING, READ_ONLY, TWO, None, False, False, (Event.HEIR, Y)),
        (USING, READ_ONLY, READ_ONLY, None, False, False, (Event.LOST, None)),
        (USING, READ_ONLY, TWO, THREE, False, False, (Event.TIE, None)),
        (USING, None, TWO, None, False, False, None),
        (USING, None, TWO, None, True, False, (Event.HEIR, Y)),
        (USING, None, READ_ONLY, None, True, False, (Event.SILENT, None)),
        (USING, None, LEFT, None, True, False, (Event.SILENT, None)),
        (USING, None, LEFT, None, True, True, (Event.HEIR, Y)),
    ],
)
def test_each_case(state, x, y, z, gone, auto, what):
    finding = look(state, {X: x, Y: y, Z: z}, gone=gone, auto=auto)
    assert (finding and (finding.event, finding.place)) == what
