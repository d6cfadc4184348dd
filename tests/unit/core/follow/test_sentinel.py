"""The table of a route that follows sentinels: each cell, and who is named by which answers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.core.follow.sentinel import (
    TABLE,
    Event,
    Named,
    Said,
    State,
    awaited,
    frozen,
    named,
    stance,
    step,
)
from ambassador.core.follow.stage import STANCES, Stage, Stance

X, Y, Z = ("10.0.0.1", 6379), ("10.0.0.2", 6379), ("10.0.0.3", 6379)
USING = State(Stage.USING, X, 6)

# Each stage in words: which events lead out of it, and where to; all others change nothing.
LEAVES = {
    Stage.NONE: {
        Event.NAMED: Stage.SWITCHING,
        Event.RENAMED: Stage.SWITCHING,
        Event.SPEAKS: Stage.USING,
    },
    Stage.USING: {
        Event.NAMED: Stage.SWITCHING,
        Event.SELECTED: Stage.FROZEN,
        Event.DEMOTED: Stage.DEMOTED,
        Event.SILENT: Stage.WAITING,
    },
    Stage.WAITING: {
        Event.NAMED: Stage.SWITCHING,
        Event.SELECTED: Stage.FROZEN,
        Event.SPARED: Stage.USING,
        Event.SPEAKS: Stage.USING,
        Event.DEMOTED: Stage.DEMOTED,
    },
    Stage.FROZEN: {
        Event.NAMED: Stage.SWITCHING,
        Event.SPARED: Stage.USING,
        Event.PROMOTED: Stage.USING,
    },
    Stage.SWITCHING: {Event.CONFIRMED: Stage.USING},
    Stage.DEMOTED: {
        Event.NAMED: Stage.SWITCHING,
        Event.SELECTED: Stage.FROZEN,
        Event.SPARED: Stage.USING,
        Event.SPEAKS: Stage.USING,
    },
}


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("event", Event)
def test_each_cell_is_what_the_rule_says(stage, event):
    assert TABLE[stage, event] is LEAVES[stage].get(event, stage)


def said(*answers):
    return {f"s{place}": answer for place, answer in enumerate(answers)}


def test_one_sentinel_that_names_another_of_a_higher_epoch_is_enough_where_a_majority_answers():
    found = named(USING, said(Said(Y, 7), Said(X, 6), None))
    assert found == Named(Y, 7, 1)


def test_fewer_than_a_majority_of_answers_move_nothing():
    assert named(USING, said(Said(Y, 7), None, None)) is None


@pytest.mark.parametrize("epoch", [0, 5, 6])
def test_an_epoch_that_is_not_higher_never_moves_a_primary_that_is_well(epoch):
    assert named(USING, said(*[Said(Y, epoch)] * 3)) is None


def test_a_majority_may_name_another_of_a_lower_epoch_where_the_one_in_use_is_unwell():
    found = named(USING, said(Said(Y, 1), Said(Y, 1), Said(X, 6)), unwell=True)
    assert found == Named(Y, 1, 2, anew=True)
    assert named(USING, said(Said(Y, 1), Said(X, 6), None), unwell=True) is None


def test_without_the_right_to_ask_for_epochs_a_majority_of_all_decides():
    assert named(USING, said(Said(Y), Said(Y), Said(X))) == Named(Y, 6, 2)
    assert named(USING, said(Said(Y), Said(X), None)) is None


def test_two_that_are_named_of_one_highest_epoch_are_nobody():
    assert named(USING, said(Said(Y, 7), Said(Z, 7), None)) is None


def test_at_the_start_the_highest_epoch_of_a_majority_counts():
    assert named(State(), said(Said(X, 0), Said(Y, 7), None)) == Named(Y, 7, 1)
    assert named(State(), said(Said(Y, 7), None, None)) is None
    assert named(State(), said(Said(None), Said(None), Said(None))) is None


def test_after_a_restart_what_is_remembered_needs_the_same_epoch_or_a_majority():
    remembered = State(Stage.NONE, X, 6)
    assert named(remembered, said(Said(X, 6), Said(X, 6), None)) == Named(X, 6, 2)
    assert named(remembered, said(Said(X, 0), Said(X, 0), None)) == Named(X, 6, 2)
    assert named(remembered, said(Said(Y, 5), Said(Y, 5), None)) is None
    assert named(remembered, said(Said(Y, 7), Said(X, 6), None)) == Named(Y, 7, 1)


def test_a_switch_takes_over_who_was_named_when_it_is_confirmed():
    switching = step(USING, Event.NAMED, 1.0, Named(Y, 7, 2))
    assert (switching.place, switching.aim) == (X, Y)
    assert step(switching, Event.CONFIRMED, 2.0) == State(Stage.USING, Y, 7, since=2.0)


def test_a_fast_switch_keeps_the_epoch_until_it_is_official():
    frozen = step(USING, Event.SELECTED, 1.0, Y)
    promoted = step(frozen, Event.PROMOTED, 1.2)
    assert (promoted.stage, promoted.place, promoted.epoch) == (Stage.USING, Y, 6)
    assert named(promoted, said(*[Said(X, 6)] * 3)) is None
    assert step(promoted, Event.RENAMED, 2.0, Named(Y, 7, 1)) == replace(promoted, epoch=7)


def test_after_a_restart_the_sessions_of_the_one_that_is_remembered_go_on():
    remembered = State(Stage.NONE, X, 6)
    asked = step(remembered, Event.NAMED, 1.0, Named(X, 6, 2))
    assert [stance(one) for one in (remembered, asked)] == [Stance.WAIT, Stance.WAIT]
    elsewhere = step(remembered, Event.NAMED, 1.0, Named(Y, 7, 2))
    assert [stance(one) for one in (State(), elsewhere)] == [Stance.CUT, Stance.CUT]


@pytest.mark.parametrize(
    "stage", [one for one in Stage if one not in (Stage.NONE, Stage.SWITCHING)]
)
def test_what_clients_meet_is_a_matter_of_the_stage(stage):
    assert stance(State(stage, X, 6, Y, 7)) is STANCES[stage]


answers = st.none() | st.builds(
    Said, st.sampled_from([X, Y, Z, None]), st.none() | st.integers(0, 9)
)
happenings = st.lists(
    st.tuples(st.lists(answers, min_size=3, max_size=3), st.booleans(), st.sampled_from(Event)),
    max_size=30,
)


@given(happenings)
def test_epochs_never_go_back_whatever_is_heard(happenings):
    state = USING
    for place, (heard, unwell, event) in enumerate(happenings):
        found = named(state, said(*heard), unwell=unwell)
        before = state
        if event in {Event.NAMED, Event.RENAMED}:
            if found is None:
                continue
            state = step(state, event, float(place), found)
        else:
            state = step(state, event, float(place), Y)
        assert state.epoch >= before.epoch
        if state.place != before.place:
            assert before.stage in {Stage.SWITCHING, Stage.FROZEN}  # sessions were cut before
            assert event in {Event.CONFIRMED, Event.PROMOTED}


@given(st.lists(answers, min_size=3, max_size=3))
def test_who_is_named_has_evidence(heard):
    found = named(USING, said(*heard))
    if found is not None:
        assert sum(one is not None for one in heard) >= 2
        assert any(one is not None and one.place == found.place for one in heard)
        assert found.epoch > 6 or all(one is None or one.epoch is None for one in heard)


def test_what_was_awaited_when_it_ended_is_awaited_after_a_restart():
    using = State(Stage.USING, X, 6)
    assert awaited(using) is None
    between = step(using, Event.SELECTED, 1.0, Y)
    assert awaited(between) == Y
    switching = step(using, Event.NAMED, 1.0, Named(Y, 7, 2))
    assert awaited(switching) == Y
    again = frozen(State(place=X, epoch=6), Y, 9.0)
    assert stance(again) is Stance.CUT
    lagging = {"a": Said(X, 6), "b": Said(X, 6), "c": None}
    assert named(again, lagging) is None
    ahead = {**lagging, "c": Said(Y, 7)}
    assert named(again, ahead) == Named(Y, 7, 1)


def test_after_a_restart_a_failover_that_is_under_way_is_waited_for():
    remembered = State(place=X, epoch=6)
    calm = {"a": Said(X, 6), "b": Said(X, 6), "c": Said(X, 6)}
    assert named(remembered, calm) == Named(X, 6, 3)
    assert named(remembered, {**calm, "c": Said(X, 6, failover=True)}) is None
    assert named(remembered, {**calm, "c": Said(Y, 7, failover=True)}) == Named(Y, 7, 1)
