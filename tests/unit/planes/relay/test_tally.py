"""What is counted of what workers have written, and the book of the relay beside theirs."""

import pytest

from ambassador.core.session import Event
from ambassador.model import Reason
from ambassador.planes.relay.facts import REASONS
from ambassador.planes.relay.shared import BEGUN, DOWN, ENDS, NO_DOOR, OTHER, UP, Shared, book
from ambassador.planes.relay.tally import Tally, begun_here, ended_here, values


def test_what_a_worker_has_not_told_of_is_missing_until_it_is_closed():
    shared, tally = Shared(2), Tally()
    try:
        shared.cells[book(1, 5) + BEGUN] = 7
        tally.begun(1, 5, 4)
        assert tally.missing(shared, 1, 5) == 3
        assert tally.missing(shared, 2, 5) == 0
        tally.close(shared, 1)
        assert tally.missing(shared, 1, 5) == 0
        assert values(shared, 1, 5)[BEGUN] == 7
    finally:
        shared.close()


def test_ends_are_counted_by_event_and_only_books_that_are_asked_for_are_yielded():
    tally = Tally()
    tally.ended(1, 2, Event.CLIENT_END, 3, (10, 20))
    tally.ended(1, 2, Event.CUT, 1, (1, 2))
    tally.begun(1, 9, 1)
    ((row, number, counts),) = tally.rows({2})
    assert (row, number) == (1, 2)
    assert (counts[ENDS[Event.CLIENT_END]], counts[OTHER]) == (3, 1)
    assert (counts[UP], counts[DOWN]) == (11, 22)


@pytest.fixture
def shared():
    shared = Shared(1)
    yield shared
    shared.close()


def test_what_it_counts_stands_in_row_0_and_in_no_other(shared):
    begun_here(shared, 7)
    begun_here(shared, 7)
    ended_here(shared, 7, Reason.CLIENT, (10, 20))
    ended_here(shared, 7, Reason.MOVED, (1, 2))
    counts = values(shared, 0, 7)
    assert (counts[BEGUN], counts[UP], counts[DOWN]) == (2, 11, 22)
    assert (counts[ENDS[Event.CLIENT_END]], counts[OTHER]) == (1, 1)
    assert not any(values(shared, 0, 8)) and not any(values(shared, 1, 7))


@pytest.mark.parametrize("event", ENDS)
def test_each_end_has_the_place_that_workers_give_it(shared, event):
    ended_here(shared, 3, REASONS[event], count=5)
    assert values(shared, 0, 3)[ENDS[event]] == 5


def test_without_workers_or_without_a_number_nothing_is_written(shared):
    begun_here(None, 1)
    ended_here(None, 1, Reason.CLIENT)
    begun_here(shared, NO_DOOR)
    ended_here(shared, NO_DOOR, Reason.CLIENT)
    assert not any(values(shared, 0, 1)) and not any(values(shared, 0, NO_DOOR))
