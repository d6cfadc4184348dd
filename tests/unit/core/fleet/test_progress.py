"""How far a move has come, and what follows."""

import pytest

from ambassador.core.fleet.progress import (
    Next,
    Progress,
    Tally,
    bar,
    followers_left,
    next_step,
    spread,
)
from ambassador.core.fleet.records import Applied


@pytest.mark.parametrize(
    ("report", "where"),
    [
        (None, "gone"),
        (Applied(4, "applied"), "waiting"),
        (Applied(4, "refused", (), "old"), "waiting"),
        (Applied(5, "applied"), "applied"),
        (Applied(5, "held"), "waiting"),
        (Applied(5, "refused", (), "no answer"), "refused"),
        (Applied(6, "held"), "applied"),
        (Applied(6, "refused", (), "no answer"), "refused"),
    ],
)
def test_a_report_is_of_the_revision_that_is_asked_for_or_older(report, where):
    reports = {} if report is None else {"a": report}
    found = Tally(["a"], reports, 5).progress()
    names = {
        "applied": found.applied,
        "waiting": found.waiting,
        "refused": tuple(who for who, _ in found.refused),
        "gone": found.gone,
    }
    assert {word for word, who in names.items() if who == ("a",)} == {where}
    assert sum(map(len, names.values())) == 1


def test_a_move_that_is_held_is_done_when_all_hold():
    assert Tally(["a"], {"a": Applied(5, "held")}, 5, "held").progress().applied == ("a",)


def test_reports_are_counted_as_they_come_and_those_of_strangers_are_not():
    tally = Tally(["b", "a"], {}, 5)
    assert (tally.progress().gone, tally.total) == (("b", "a"), 0)
    tally.report("a", Applied(5, "refused", (), "no answer"))
    tally.report("c", Applied(5, "applied"))
    tally.report("b", Applied(5, "applied"))
    assert tally.progress() == Progress(("b",), (), (("a", "no answer"),))
    assert (tally.total, len(tally.refused)) == (2, 1)
    tally.report("a", Applied(5, "applied"))
    tally.report("b", None)
    assert tally.progress() == Progress(("a",), gone=("b",))
    assert next_step(tally, 0, late=False) is Next.DONE


@pytest.mark.parametrize(("count", "seconds"), [(1, 0.05), (200, 0.13), (5000, 3.33)])
def test_the_more_report_the_longer_they_take(count, seconds):
    assert spread(count) == seconds


def some(applied=0, waiting=0, refused=0):
    return Progress(
        tuple(f"a{n}" for n in range(applied)),
        tuple(f"w{n}" for n in range(waiting)),
        tuple((f"r{n}", "no answer") for n in range(refused)),
    )


@pytest.mark.parametrize(
    ("now", "abort", "late", "then"),
    [
        (some(applied=10), 10, False, Next.DONE),
        (some(applied=10), 10, True, Next.DONE),
        (some(), 10, False, Next.DONE),  # all are gone
        (some(applied=9, waiting=1), 10, False, Next.WAIT),
        (some(applied=9, waiting=1), 10, True, Next.LATE),
        (some(applied=9, refused=1), 10, False, Next.WAIT),  # it may answer yet
        (some(applied=9, refused=1), 10, True, Next.LATE),
        (some(applied=8, refused=2), 10, False, Next.ABORT),
        (some(waiting=9, refused=1), 0, False, Next.ABORT),
        (some(waiting=9, refused=1), 10, False, Next.WAIT),
        (some(refused=10), 100, True, Next.LATE),  # never taken back
    ],
)
def test_what_follows_from_how_far_it_is(now, abort, late, then):
    assert next_step(now, abort, late=late) is then


def test_the_bar_is_as_long_as_the_work_and_shows_what_is_wrong():
    assert bar(some(10)) == f"[{'#' * 30}] 10 applied, 0 waiting, 0 refused"
    assert bar(some(5, 4, 1)) == f"[{'#' * 15}{'!' * 3}{'.' * 12}] 5 applied, 4 waiting, 1 refused"
    assert bar(some()).startswith("[....")


def test_those_who_have_not_applied_it_are_named():
    assert followers_left(some(1, 1, 1)) == ["r0: refused, no answer", "w0: has not answered yet"]
    lines = followers_left(some(waiting=30))
    assert len(lines) == 11
    assert lines[-1] == "and 20 more"
