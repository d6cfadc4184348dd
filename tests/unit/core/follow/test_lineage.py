"""Who was promoted after whom, by replication ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.core.follow.claims import Event, State, step
from ambassador.core.follow.lineage import Fact, look
from ambassador.core.follow.stage import Stage

X, Y, Z = ("10.0.0.1", 6379), ("10.0.0.2", 6379), ("10.0.0.3", 6379)
USING = State(Stage.USING, X, "a")
PRIMARY, REPLICA = Fact(True, "a"), Fact(False, "a")
HEIR = Fact(True, "b", "a")
LOADING = Fact(False, "", loading=True)
EMPTY = Fact(True, "n", "0" * 40)


def found(state, x, y, z=REPLICA, *, gone=False, auto=False):
    finding = look(state, {X: x, Y: y, Z: z}, gone=gone, auto=auto)
    return (finding.event, finding.place) if finding else None


@pytest.mark.parametrize(
    ("state", "x", "y", "z", "gone", "auto", "what"),
    [
        # nothing is known
        (State(), PRIMARY, REPLICA, REPLICA, False, False, (Event.ALONE, X)),
        (State(), PRIMARY, HEIR, REPLICA, False, False, (Event.ALONE, Y)),
        (State(), PRIMARY, EMPTY, REPLICA, False, False, (Event.TIE, None)),
        (State(), REPLICA, REPLICA, REPLICA, False, False, (Event.LOST, None)),
        # promoted by hand, the one before alive and written to
        (USING, PRIMARY, HEIR, REPLICA, False, False, (Event.HEIR, Y)),
        # the one before is dead, or loads
        (USING, None, REPLICA, REPLICA, False, False, None),
        (USING, None, REPLICA, REPLICA, True, False, (Event.SILENT, None)),
        (
            USING,
            Fact(False, "", loading=True),
            REPLICA,
            REPLICA,
            False,
            False,
            (Event.SILENT, None),
        ),
        (USING, None, HEIR, REPLICA, True, False, (Event.HEIR, Y)),
        # two were promoted at once
        (USING, None, HEIR, Fact(True, "c", "a"), True, False, (Event.TIE, None)),
        # one that was left claims, and the one in use is gone
        (USING, None, EMPTY, REPLICA, True, False, (Event.SILENT, None)),
        (USING, None, EMPTY, REPLICA, True, True, (Event.HEIR, Y)),
        # the one in use follows now
        (USING, REPLICA, HEIR, REPLICA, False, False, (Event.HEIR, Y)),
        (USING, Fact(False, "b"), Fact(True, "b", "q"), REPLICA, False, False, (Event.HEIR, Y)),
        (USING, REPLICA, EMPTY, REPLICA, False, False, (Event.LOST, None)),
        # it came back empty: others have its past, or nobody has
        (USING, EMPTY, REPLICA, REPLICA, False, False, (Event.LOST, None)),
        (USING, EMPTY, None, None, False, False, (Event.SPEAKS, X)),
        (USING, PRIMARY, REPLICA, REPLICA, False, False, (Event.SPEAKS, X)),
    ],
)
def test_each_case(state, x, y, z, gone, auto, what):
    assert found(state, x, y, z, gone=gone, auto=auto) == what


def test_the_one_before_is_never_followed_back():
    state = USING
    for _ in range(2):
        finding = look(state, {X: None, Y: HEIR, Z: REPLICA}, gone=True, auto=False)
        state = step(state, finding)
    state = step(state, type(finding)(Event.CONFIRMED, ""))
    assert (state.stage, state.place) == (Stage.USING, Y)
    for back in (PRIMARY, EMPTY, Fact(True, "r", "a")):  # alive, empty, from its RDB
        assert found(state, back, HEIR) == (Event.SPEAKS, Y)
        assert found(state, back, None, gone=True) == (Event.SILENT, None)


ids = st.sampled_from(["a", "b", "c", "0" * 40])
facts = st.none() | st.builds(Fact, st.booleans(), ids, ids, st.booleans())


@given(facts, facts, facts, st.booleans())
def test_who_is_taken_claims_and_has_evidence(x, y, z, gone):
    finding = look(USING, {X: x, Y: y, Z: z}, gone=gone, auto=False)
    if finding is not None and finding.event is Event.HEIR:
        taken = {X: x, Y: y, Z: z}[finding.place]
        assert taken.primary and not taken.loading
        assert finding.place != X
        assert "a" in {taken.before, taken.id} or (x is not None and not x.primary)
