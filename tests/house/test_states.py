"""docs/states.md is what the tables say, and leaves no state or event without a word."""

import pytest

from tests.house.states import MACHINES, PAGE, page


def test_the_page_is_what_the_tables_say():
    assert PAGE.read_text() == page(), "write it again: ./dev states"


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.title)
def test_every_state_and_event_says_what_it_is(machine):
    assert all(machine.states.values()), machine.states
    assert all(machine.events.values()), machine.events
    for state, event, following, _ in machine.edges:
        assert {state, following} <= set(machine.states)
        assert event in machine.events


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.title)
def test_every_state_can_be_reached_from_the_first(machine):
    reached, before = {next(iter(machine.states))}, set()
    while reached != before:
        before = set(reached)
        reached |= {following for state, _, following, _ in machine.edges if state in reached}
    assert reached == set(machine.states)
