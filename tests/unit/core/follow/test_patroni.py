"""Who is the primary, by the lock of Patroni and what PostgreSQL says of itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.core.follow.claims import Event, State
from ambassador.core.follow.patroni import Fact, look
from ambassador.core.follow.stage import Stage

X, Y = ("10.0.0.1", 5432), ("10.0.0.2", 5432)
USING = State(Stage.USING, X, "s/3")
STANDBY = Fact(False, False, "s")
SILENT = Fact(None, None)


def on(timeline, lock=True, system="s"):
    return Fact(lock, True, system, timeline)


@pytest.mark.parametrize(
    ("state", "x", "y", "gone", "what"),
    [
        (State(), on(1), STANDBY, False, (Event.ALONE, X)),
        (
            State(),
            on(1, None),
            STANDBY,
            False,
            (Event.LOST, None),
        ),  # elects nobody
        (State(), Fact(True, False, "s"), STANDBY, False, (Event.LOST, None)),  # not promoted yet
        (State(), on(1), on(2), False, (Event.ALONE, Y)),
        (State(), on(2), on(2), False, (Event.TIE, None)),
        (USING, on(3), STANDBY, False, (Event.SPEAKS, X)),
        (USING, on(3, None), STANDBY, False, (Event.SPEAKS, X)),  # its Patroni is frozen
        (USING, on(3, False), STANDBY, False, (Event.SILENT, None)),  # the lock is free
        (USING, on(3), on(4, False), False, (Event.SPEAKS, X)),  # promoted without the lock
        (USING, on(3, None), on(4), False, (Event.HEIR, Y)),
        (USING, on(3), on(4), False, (Event.HEIR, Y)),
        (USING, on(3), on(2), False, (Event.SPEAKS, X)),
        (USING, on(3, False), on(2), False, (Event.LOST, None)),
        (USING, STANDBY, on(3), False, (Event.HEIR, Y)),
        (USING, SILENT, on(2), True, (Event.HEIR, Y)),  # restored from a backup
        (USING, STANDBY, on(1, system="new"), False, (Event.HEIR, Y)),
        (USING, on(3), on(1, system="new"), False, (Event.SPEAKS, X)),
        (USING, on(3, None), Fact(True, False, "s"), False, (Event.LOST, None)),  # about to be
        (USING, on(3), Fact(True, False, "s"), False, (Event.SPEAKS, X)),
        (USING, SILENT, STANDBY, False, None),
        (USING, SILENT, STANDBY, True, (Event.SILENT, None)),
        (USING, Fact(True, None), STANDBY, True, (Event.SILENT, None)),
        (USING, Fact(True, False, "s"), STANDBY, False, (Event.LOST, None)),
    ],
)
def test_each_case(state, x, y, gone, what):
    finding = look(state, {X: x, Y: y}, gone=gone)
    assert (finding and (finding.event, finding.place)) == what


facts = st.builds(
    lambda lock, primary, system, number: Fact(lock, primary, system, number if primary else 0),
    st.sampled_from([None, True, False]), st.sampled_from([None, True, False]),
    st.sampled_from("st"), st.integers(1, 5),
)  # fmt: skip


@given(facts, facts, st.booleans(), st.sampled_from([State(), USING]))
def test_nobody_gets_clients_without_the_lock_and_writes(x, y, gone, state):
    finding = look(state, {X: x, Y: y}, gone=gone)
    if finding is not None and finding.event in {Event.HEIR, Event.ALONE}:
        taken = {X: x, Y: y}[finding.place]
        assert taken.lock and taken.primary
    if finding is not None and finding.event is Event.SPEAKS:
        assert x.primary and x.lock is not False
