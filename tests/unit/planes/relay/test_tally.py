"""What is counted of what workers have written."""

from ambassador.core.session import Event
from ambassador.planes.relay.shared import BEGUN, DOWN, ENDS, OTHER, UP, Shared, book
from ambassador.planes.relay.tally import Tally, values


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
