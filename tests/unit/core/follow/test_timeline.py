"""Who was promoted after whom, by timelines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.core.follow.claims import Event, State
from ambassador.core.follow.stage import Stage
from ambassador.core.follow.timeline import Fact, look

X, Y, Z = ("10.0.0.1", 5432), ("10.0.0.2", 5432), ("10.0.0.3", 5432)
USING = State(Stage.USING, X, "s/3")
STANDBY = Fact(False, "s")


def at(timeline, system="s"):
    return Fact(True, system, timeline)


@pytest.mark.parametrize(
    ("state", "x", "y", "z", "gone", "auto", "what"),
    [
        (State(), at(1), STANDBY, None, False, False, (Event.ALONE, X)),
        (State(), at(1), at(2), None, False, False, (Event.ALONE, Y)),
        (State(), at(2), at(2), None, False, False, (Event.TIE, None)),
        (State(), at(1), at(2, "other"), None, False, False, (Event.TIE, None)),
        (State(), STANDBY, STANDBY, None, False, False, (Event.LOST, None)),
        (USING, at(3), STANDBY, None, False, False, (Event.SPEAKS, X)),
        (USING, at(3), at(4), None, False, False, (Event.HEIR, Y)),
        (USING, at(3), at(4, "other"), None, False, False, (Event.SPEAKS, X)),
        (USING, at(3), at(3), None, False, False, (Event.SPEAKS, X)),
        (USING, at(5), at(4), None, False, False, (Event.SPEAKS, X)),
        (USING, None, at(4), at(4), True, False, (Event.TIE, None)),
        (USING, None, STANDBY, None, False, False, None),
        (USING, None, STANDBY, None, True, False, (Event.SILENT, None)),
        (USING, None, at(2), None, True, False, (Event.SILENT, None)),
        (USING, None, at(2), None, True, True, (Event.HEIR, Y)),
        (USING, STANDBY, STANDBY, None, False, False, (Event.LOST, None)),
        (USING, STANDBY, at(3), None, False, False, (Event.HEIR, Y)),
        (USING, at(1, "new"), STANDBY, None, False, False, (Event.LOST, None)),
    ],
)
def test_each_case(state, x, y, z, gone, auto, what):
    finding = look(state, {X: x, Y: y, Z: z}, gone=gone, auto=auto)
    assert (finding and (finding.event, finding.place)) == what


facts = st.none() | st.builds(
    lambda primary, system, number: Fact(primary, system, number if primary else 0),
    st.booleans(), st.sampled_from("st"), st.integers(1, 5),
)  # fmt: skip


@given(facts, facts, facts, st.booleans())
def test_an_older_timeline_never_moves_one_that_claims(x, y, z, gone):
    finding = look(USING, {X: x, Y: y, Z: z}, gone=gone, auto=False)
    if finding is not None and finding.event is Event.HEIR:
        taken = {Y: y, Z: z}[finding.place]
        assert taken.primary and taken.system == "s"
        assert taken.timeline > 3 or (x is not None and not x.primary and taken.timeline == 3)
