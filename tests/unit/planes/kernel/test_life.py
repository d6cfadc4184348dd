"""Every cell of the life of a route in the kernel, and what holds over all paths through it."""

from itertools import product

import pytest

from ambassador.planes.kernel.life import COUNTED, TABLE, Event, Stage

S = Stage
# By stage: after WAYS, NO_WAYS, REFUSED, TOLD, LOST, REMOVE; None: cannot happen.
EXPECTED = {
    S.NEW: (S.ARRIVED, S.EXPECTED, S.RELAYED, S.NEW, S.NEW, None),
    S.RELAYED: (S.ARRIVED, S.EXPECTED, S.RELAYED, S.RELAYED, S.NEW, None),
    S.EXPECTED: (S.ARRIVED, S.EXPECTED, S.RETIRED, S.EXPECTED, S.NEW, S.REMOVED),
    S.ARRIVED: (S.ARRIVED, S.EXPECTED, S.RETIRED, S.FORWARDED, S.NEW, S.REMOVED),
    S.FORWARDED: (S.FORWARDED, S.BARE, S.RETIRED, S.FORWARDED, S.NEW, S.REMOVED),
    S.BARE: (S.FORWARDED, S.BARE, S.RETIRED, S.EXPECTED, S.NEW, S.REMOVED),
    S.RETIRED: (S.ARRIVED, S.EXPECTED, S.RETIRED, S.RETIRED, S.NEW, S.REMOVED),
    S.REMOVED: (None, None, None, None, None, S.REMOVED),
}


@pytest.mark.parametrize(
    ("stage", "event"), list(product(Stage, Event)), ids=lambda value: value.name.lower()
)
def test_every_cell(stage, event):
    expected = EXPECTED[stage][list(Event).index(event)]
    if expected is None:
        with pytest.raises(KeyError):
            TABLE[stage, event]
    else:
        assert TABLE[stage, event] is expected


def after(*events, stage=Stage.NEW):
    for event in events:
        stage = TABLE[stage, event]
    return stage


def test_counting_begins_with_the_first_transaction_and_no_other_one_ends_it():
    transactions = (Event.WAYS, Event.NO_WAYS, Event.REFUSED, Event.TOLD)
    for stage, event in product(COUNTED - {Stage.REMOVED}, transactions):
        assert TABLE[stage, event] in COUNTED


def test_first_ways_that_come_later_are_told_of_once():
    late = after(Event.NO_WAYS, Event.TOLD, Event.WAYS)
    assert late is Stage.ARRIVED
    told = after(Event.TOLD, stage=late)
    assert after(Event.NO_WAYS, Event.WAYS, stage=told) is Stage.FORWARDED


def test_ways_that_come_with_a_step_are_told_of_by_the_step():
    assert after(Event.WAYS, Event.TOLD, Event.WAYS) is Stage.FORWARDED


def test_a_step_that_leaves_a_route_without_a_way_makes_the_next_one_worth_telling():
    assert after(Event.WAYS, Event.TOLD, Event.NO_WAYS, Event.TOLD, Event.WAYS) is Stage.ARRIVED
