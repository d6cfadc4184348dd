"""What is known of changes, and how many of them."""

from dataclasses import replace

from ambassador.core.history import KEPT, KEPT_OF_ROUTE, before, failed, last_of, noted, told
from ambassador.core.wish import Wish
from ambassador.model import Hold, Inet, Proto, Route

KEY = (Proto.TCP, Inet("", 6379))
HELD = Wish(*KEY, "redis", "ann", 1.0, "redis held", hold=Hold())
HELD_LONGER = replace(HELD, hold=Hold(60.0), what="redis held anew")


def at(port):
    return (Proto.TCP, Inet("", port))


def note(history, old, new, what="", undone=0):
    maps = [{} if wish is None else {wish.key: wish} for wish in (old, new)]
    return noted(history, *maps, who="ann", when=1.0, what=what, undone=undone)


def test_each_route_that_is_wanted_otherwise_is_noted_with_what_was_wanted_before():
    history = note((), None, HELD)
    history = note(history, HELD, HELD_LONGER)
    history = note(history, HELD_LONGER, None, "redis released")
    assert [one.number for one in history] == [1, 2, 3]
    assert [one.what for one in history] == ["redis held", "redis held anew", "redis released"]
    assert [one.before for one in history] == [None, HELD, HELD_LONGER]


def test_what_says_the_same_again_is_no_change():
    assert note((), HELD, replace(HELD, who="bob", when=2.0, what="again")) == ()


def test_the_last_change_is_taken_back_and_then_the_one_before():
    history = note(note((), None, HELD), HELD, HELD_LONGER)
    last = last_of(history, KEY)
    assert last.number == 2
    assert before({KEY: HELD_LONGER}, last) == {KEY: HELD}
    history = note(history, HELD_LONGER, HELD, "taken back", undone=2)
    assert [one.outcome for one in history] == ["done", "undone", "done"]
    assert [one.undoable for one in history] == [True, False, False]
    first = last_of(history, KEY)
    assert first.number == 1
    assert before({KEY: HELD}, first) == {}
    history = note(history, HELD, None, "taken back", undone=1)
    assert last_of(history, KEY) is None


def test_what_has_failed_is_told_and_not_taken_back():
    history = failed(
        note((), None, HELD), Route("redis", KEY[1], ()), who="ann", when=2.0, what="move",
        why="it\ndoes not answer",
    )  # fmt: skip
    assert history[-1].outcome == "failed: it does not answer"
    assert last_of(history, KEY).number == 1


def test_the_newest_are_told_first_and_the_one_that_undo_takes_back_is_marked():
    history = note(note((), None, HELD), HELD, HELD_LONGER)
    found = told(history, None, 1)
    assert (found.total, [one.number for one in found.changes]) == (2, [2])
    assert [one.last for one in told(history, KEY, 9).changes] == [True, False]
    assert told(history, at(1), 9).total == 0


def test_of_a_route_the_oldest_are_forgotten():
    history, old = (), None
    for number in range(KEPT_OF_ROUTE + 5):
        new = replace(HELD, hold=Hold(1.0 + number))
        history, old = note(history, old, new), new
    assert len(history) == KEPT_OF_ROUTE
    assert history[0].number == 6


def test_of_all_the_oldest_are_forgotten():
    wishes = {at(n): Wish(*at(n), f"r{n}", hold=Hold()) for n in range(1, KEPT + 11)}
    history = noted((), {}, wishes, who="ann", when=1.0, what="held")
    assert len(history) == KEPT
    assert history[-1].number == KEPT + 10
