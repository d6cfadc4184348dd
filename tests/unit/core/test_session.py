"""Every cell of the table, and the promises that hold over all paths through it."""

from itertools import product

import pytest

from ambassador.core.session import TABLE, Action, Event, State

RESET_BOTH = (Action.RESET_CLIENT, Action.RESET_UPSTREAM)

# (state, event): what a reader of RFC 9293 expects; None: cannot happen.
EXPECTED = {
    (State.WAITING, Event.CONNECTED): (State.OPEN, ()),
    (State.WAITING, Event.FAILED): (State.CLOSED, (Action.RESET_CLIENT,)),
    (State.WAITING, Event.CLIENT_END): (State.CLOSED, (Action.RESET_CLIENT,)),
    (State.WAITING, Event.UPSTREAM_END): None,
    (State.WAITING, Event.CLIENT_RESET): (State.CLOSED, (Action.RESET_CLIENT,)),
    (State.WAITING, Event.UPSTREAM_RESET): None,
    (State.WAITING, Event.CUT): (State.CLOSED, (Action.RESET_CLIENT,)),
    (State.OPEN, Event.CLIENT_END): (State.CLIENT_ENDED, (Action.END_UPSTREAM,)),
    (State.OPEN, Event.UPSTREAM_END): (State.UPSTREAM_ENDED, (Action.END_CLIENT,)),
    (State.CLIENT_ENDED, Event.CLIENT_END): None,
    (State.CLIENT_ENDED, Event.UPSTREAM_END): (
        State.CLOSED,
        (Action.END_CLIENT, Action.CLOSE),
    ),
    (State.UPSTREAM_ENDED, Event.UPSTREAM_END): None,
    (State.UPSTREAM_ENDED, Event.CLIENT_END): (
        State.CLOSED,
        (Action.END_UPSTREAM, Action.CLOSE),
    ),
    (State.CLOSED, Event.CUT): (State.CLOSED, RESET_BOTH),
}
for live in (State.OPEN, State.CLIENT_ENDED, State.UPSTREAM_ENDED):
    EXPECTED[live, Event.CLIENT_RESET] = (State.CLIENT_LOST, (Action.DELIVER_TO_UPSTREAM,))
    EXPECTED[live, Event.UPSTREAM_RESET] = (State.UPSTREAM_LOST, (Action.DELIVER_TO_CLIENT,))
    EXPECTED[live, Event.CUT] = (State.CLOSED, RESET_BOTH)
    EXPECTED |= {(live, e): None for e in (Event.CONNECTED, Event.FAILED, Event.DELIVERED)}
for lost, other in (
    (State.CLIENT_LOST, Event.UPSTREAM_RESET),
    (State.UPSTREAM_LOST, Event.CLIENT_RESET),
):
    EXPECTED |= {(lost, event): None for event in Event}
    ends = (other, Event.DELIVERED, Event.CUT)
    EXPECTED |= {(lost, event): (State.CLOSED, RESET_BOTH) for event in ends}
EXPECTED[State.WAITING, Event.DELIVERED] = None
for late in set(Event) - {Event.CUT}:
    EXPECTED[State.CLOSED, late] = (State.CLOSED, ())


@pytest.mark.parametrize(
    ("state", "event"), list(product(State, Event)), ids=lambda value: value.name.lower()
)
def test_every_cell(state, event):
    expected = EXPECTED[state, event]
    if expected is None:
        with pytest.raises(KeyError):
            TABLE[state, event]
    else:
        assert TABLE[state, event] == expected


def test_the_table_has_no_cell_beyond_these():
    assert set(TABLE) == {cell for cell, outcome in EXPECTED.items() if outcome is not None}


def paths(state=State.WAITING, actions=()):
    """Yield the actions of every way from the first state to CLOSED."""
    if state is State.CLOSED:
        yield actions
        return
    for event in Event:
        if (state, event) in TABLE:
            following, more = TABLE[state, event]
            yield from paths(following, actions + more)


def test_each_path_ends_and_ends_each_side_in_one_way():
    count = 0
    for actions in paths():
        count += 1
        assert actions.count(Action.END_CLIENT) <= 1
        assert actions.count(Action.END_UPSTREAM) <= 1
        closed, cut = Action.CLOSE in actions, Action.RESET_CLIENT in actions
        assert closed != cut
        if closed:
            assert {Action.END_CLIENT, Action.END_UPSTREAM} < set(actions)
            assert actions[-1] is Action.CLOSE
    assert count == 4 + 3 * (1 + 2 * 3) + 2
