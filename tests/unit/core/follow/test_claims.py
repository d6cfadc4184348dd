"""The table of members that say themselves whether they are the primary."""

import pytest

from ambassador.core.follow.claims import TABLE, Event, Finding, State, stance, step
from ambassador.core.follow.stage import Stage, Stance

X, Y = ("10.0.0.1", 6379), ("10.0.0.2", 6379)
LEAVES = {
    (Stage.NONE, Event.ALONE): Stage.SWITCHING,
    (Stage.NONE, Event.HEIR): Stage.SWITCHING,
    (Stage.NONE, Event.SPEAKS): Stage.USING,
    (Stage.USING, Event.HEIR): Stage.SWITCHING,
    (Stage.USING, Event.SILENT): Stage.WAITING,
    (Stage.USING, Event.LOST): Stage.DEMOTED,
    (Stage.USING, Event.TIE): Stage.DEMOTED,
    (Stage.WAITING, Event.HEIR): Stage.SWITCHING,
    (Stage.WAITING, Event.SPEAKS): Stage.USING,
    (Stage.WAITING, Event.LOST): Stage.DEMOTED,
    (Stage.WAITING, Event.TIE): Stage.DEMOTED,
    (Stage.SWITCHING, Event.CONFIRMED): Stage.USING,
    (Stage.DEMOTED, Event.HEIR): Stage.SWITCHING,
    (Stage.DEMOTED, Event.SPEAKS): Stage.USING,
}


@pytest.mark.parametrize("cell", TABLE, ids=str)
def test_each_cell_is_what_the_rule_says(cell):
    assert TABLE[cell] is LEAVES.get(cell, cell[0])


def test_another_is_used_only_after_a_stage_in_which_sessions_are_cut():
    switching = step(State(Stage.USING, X, "a"), Finding(Event.HEIR, "", Y, "b"))
    assert (switching.place, switching.aim, stance(switching)) == (X, Y, Stance.CUT)
    used = step(switching, Finding(Event.CONFIRMED, ""))
    assert used == State(Stage.USING, Y, "b", frozenset("a"))


def test_after_a_restart_the_sessions_of_the_one_that_is_remembered_go_on():
    assert stance(State(Stage.NONE, X, "a")) is Stance.WAIT
    assert stance(State()) is Stance.CUT


def test_a_new_mark_of_the_one_in_use_is_noted_and_the_old_one_is_not_forgotten():
    after = step(State(Stage.USING, X, "a"), Finding(Event.SPEAKS, "", X, "b"))
    assert (after.mark, after.marks) == ("b", frozenset("a"))
