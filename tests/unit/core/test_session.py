"""Every cell of the table, and the promises that hold over all paths through it."""

from itertools import product

import pytest

from ambassador.core.session import LOOKING, OVER, TABLE, Action, Event, State, shown

RESET_BOTH = (Action.RESET_CLIENT, Action.RESET_UPSTREAM)
CLOSED, A, E = State.CLOSED, Action, Event

# What happens in each state, as a reader of RFC 9293 expects it; what is not here cannot happen.
EXPECTED = {
    State.ACCEPTED: {
        E.HOLD: (State.HELD, ()),
        E.DIAL: (State.DIALLING, ()),
        E.SEARCH: (State.SEARCHING, ()),
        E.CONNECTED: (State.OPEN, ()),
        E.FAILED: (CLOSED, (A.RESET_CLIENT,)),
        E.CLIENT_RESET: (CLOSED, (A.RESET_CLIENT,)),
        E.CUT: (CLOSED, (A.RESET_CLIENT,)),
        E.ANEW: (State.ACCEPTED, ()),
    },
    State.HELD: {
        E.RELEASED: (State.ACCEPTED, ()),
        E.FAILED: (CLOSED, (A.RESET_CLIENT,)),
        E.CLIENT_END: (CLOSED, (A.LEAVE_HOLD, A.RESET_CLIENT)),
        E.CLIENT_RESET: (CLOSED, (A.LEAVE_HOLD, A.RESET_CLIENT)),
        E.CUT: (CLOSED, (A.LEAVE_HOLD, A.RESET_CLIENT)),
        E.ANEW: (State.HELD, ()),
    },
    State.DIALLING: {
        E.DIAL: (State.DIALLING, ()),
        E.CONNECTED: (State.OPEN, ()),
        E.SEARCH: (State.SEARCHING, ()),
        E.CLIENT_RESET: (CLOSED, (A.DROP_DIAL, A.RESET_CLIENT)),
        E.CUT: (CLOSED, (A.DROP_DIAL, A.RESET_CLIENT)),
        E.ANEW: (State.ACCEPTED, (A.DROP_DIAL,)),
    },
    State.SEARCHING: {
        E.CONNECTED: (State.OPEN, ()),
        E.FAILED: (CLOSED, (A.RESET_CLIENT,)),
        E.CLIENT_RESET: (CLOSED, (A.STOP_SEARCH, A.RESET_CLIENT)),
        E.CUT: (CLOSED, (A.STOP_SEARCH, A.RESET_CLIENT)),
        E.ANEW: (State.ACCEPTED, (A.STOP_SEARCH,)),
    },
    State.OPEN: {
        E.HAND: (State.HANDED, ()),
        E.CLIENT_END: (State.CLIENT_ENDED, (A.END_UPSTREAM,)),
        E.UPSTREAM_END: (State.UPSTREAM_ENDED, (A.END_CLIENT,)),
        E.CLIENT_RESET: (State.CLIENT_LOST, (A.DELIVER_TO_UPSTREAM,)),
        E.UPSTREAM_RESET: (State.UPSTREAM_LOST, (A.DELIVER_TO_CLIENT,)),
        E.CUT: (CLOSED, RESET_BOTH),
        E.ANEW: (State.OPEN, ()),
    },
    State.HANDED: {
        E.CUT: (State.HANDED, (A.CUT_IN_WORKER,)),
        E.RETURNED: (CLOSED, ()),
        E.ANEW: (State.HANDED, ()),
    },
    State.CLIENT_ENDED: {
        E.HAND: (State.HANDED, ()),
        E.UPSTREAM_END: (State.FINISHING, (A.END_CLIENT, A.CLOSE)),
        E.CLIENT_RESET: (State.CLIENT_LOST, (A.DELIVER_TO_UPSTREAM,)),
        E.UPSTREAM_RESET: (State.UPSTREAM_LOST, (A.DELIVER_TO_CLIENT,)),
        E.CUT: (CLOSED, RESET_BOTH),
        E.ANEW: (State.CLIENT_ENDED, ()),
    },
    State.UPSTREAM_ENDED: {
        E.HAND: (State.HANDED, ()),
        E.CLIENT_END: (State.FINISHING, (A.END_UPSTREAM, A.CLOSE)),
        E.CLIENT_RESET: (State.CLIENT_LOST, (A.DELIVER_TO_UPSTREAM,)),
        E.UPSTREAM_RESET: (State.UPSTREAM_LOST, (A.DELIVER_TO_CLIENT,)),
        E.CUT: (CLOSED, RESET_BOTH),
        E.ANEW: (State.UPSTREAM_ENDED, ()),
    },
    State.CLIENT_LOST: {
        E.HAND: (State.HANDED, ()),
        E.DELIVERED: (CLOSED, RESET_BOTH),
        E.UPSTREAM_RESET: (CLOSED, RESET_BOTH),
        E.CUT: (CLOSED, RESET_BOTH),
        E.ANEW: (State.CLIENT_LOST, ()),
    },
    State.UPSTREAM_LOST: {
        E.HAND: (State.HANDED, ()),
        E.DELIVERED: (CLOSED, RESET_BOTH),
        E.CLIENT_RESET: (CLOSED, RESET_BOTH),
        E.CUT: (CLOSED, RESET_BOTH),
        E.ANEW: (State.UPSTREAM_LOST, ()),
    },
    State.FINISHING: {
        E.HAND: (State.HANDED, ()),
        E.FINISHED: (CLOSED, ()),
        E.CLIENT_RESET: (State.FINISHING, (A.CLOSE_CLIENT,)),
        E.UPSTREAM_RESET: (State.FINISHING, (A.CLOSE_UPSTREAM,)),
        E.CUT: (CLOSED, RESET_BOTH),
        **dict.fromkeys((E.CLIENT_END, E.UPSTREAM_END, E.DELIVERED, E.ANEW), (State.FINISHING, ())),
    },
    State.CLOSED: {
        E.CUT: (CLOSED, RESET_BOTH),
        **dict.fromkeys(
            (
                *(E.CLIENT_END, E.UPSTREAM_END, E.CLIENT_RESET, E.UPSTREAM_RESET),
                *(E.DELIVERED, E.ANEW),
            ),
            (CLOSED, ()),
        ),
    },
}


@pytest.mark.parametrize(
    ("state", "event"), list(product(State, Event)), ids=lambda value: value.name.lower()
)
def test_every_cell(state, event):
    if event in EXPECTED[state]:
        assert TABLE[state, event] == EXPECTED[state][event]
    else:
        with pytest.raises(KeyError):
            TABLE[state, event]


def paths(state=State.ACCEPTED, actions=(), seen=()):
    """Yield the actions of every way from the first state to CLOSED that meets no state twice."""
    if state is State.CLOSED:
        yield actions
        return
    for event in Event:
        following, more = TABLE.get((state, event), (state, ()))
        if following is not state and following not in seen:
            yield from paths(following, actions + more, (*seen, state))


def test_each_path_ends_and_ends_each_side_in_one_way():
    count = 0
    for actions in paths():
        count += 1
        assert actions.count(Action.END_CLIENT) <= 1
        assert actions.count(Action.END_UPSTREAM) <= 1
        closed, cut = Action.CLOSE in actions, Action.RESET_CLIENT in actions
        if closed:
            assert {Action.END_CLIENT, Action.END_UPSTREAM} < set(actions)
        elif not cut:
            # Passed to another process, which has ended it.
            ends = {Action.END_CLIENT, Action.END_UPSTREAM}
            delivers = {Action.DELIVER_TO_CLIENT, Action.DELIVER_TO_UPSTREAM}
            assert set(actions) <= ends | delivers
    assert count > 50


def test_every_state_can_be_cut_and_no_cut_leaves_a_client_behind():
    for state in State:
        following, actions = TABLE[state, Event.CUT]
        if state is State.HANDED:
            assert actions == (Action.CUT_IN_WORKER,)
        else:
            assert following is State.CLOSED
            assert Action.RESET_CLIENT in actions


def test_whatever_is_being_looked_for_is_given_up_before_the_client_is_reset():
    hands = {
        State.HELD: Action.LEAVE_HOLD,
        State.DIALLING: Action.DROP_DIAL,
        State.SEARCHING: Action.STOP_SEARCH,
    }
    for state, action in hands.items():
        for event in (Event.CUT, Event.CLIENT_RESET):
            assert TABLE[state, event][1] == (action, Action.RESET_CLIENT)


def test_what_is_shown_of_a_state():
    words = {state: shown(state, False) for state in State}
    assert words.pop(State.HELD) == "held"
    assert {words.pop(state) for state in LOOKING} == {"waiting"}
    assert set(words.values()) == {"open"}
    assert {shown(state, True) for state in words} == {"leaving"}
    assert {State.FINISHING, State.CLOSED} == OVER
