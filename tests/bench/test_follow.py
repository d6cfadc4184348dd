"""What the bench of failovers counts, and that the page says so."""

from datetime import datetime

import pytest

from bench.errors import BenchError
from bench.follow.outcome import Outcome, judge, primary_at
from bench.follow.page import keep, kept, page
from bench.follow.redisset import promotions
from bench.follow.run import EVENTS, main
from bench.follow.writers import Write

EVENT = next(iter(EVENTS))
OUTCOMES = [
    Outcome(100.0, 200.0, 10.0, 90.0, 1, 2, 3, 4),
    Outcome(300.0, None, None, 1290.0, 4, 5, 6, 7),
    Outcome(200.0, None, None, 190.0, 0, 0, 0, 0),
]


def test_the_page_has_medians_of_times_the_longest_gap_and_sums_of_counts():
    text = page({("relay plane", EVENT): (OUTCOMES, [0.5, 1.25])}, ["relay plane"], EVENTS)
    row = "| relay plane | 3 | 200 | never | never | 1,290 | 5 | 7 | 9 | 11 | 0.5 to 1.2 |"
    assert row in text
    assert text.count("\n## ") == len(EVENTS)


def test_a_part_takes_the_place_of_what_was_measured_of_it_before(tmp_path):
    path = tmp_path / "follow.json"
    keep(path, {("a", EVENT): (OUTCOMES, [1.0]), ("b", EVENT): (OUTCOMES[:1], [2.0])})
    keep(path, {("a", EVENT): (OUTCOMES[1:], [3.0])})
    found = {key: (list(some), list(loads)) for key, (some, loads) in kept(path).items()}
    assert found == {("a", EVENT): (OUTCOMES[1:], [3.0]), ("b", EVENT): (OUTCOMES[:1], [2.0])}


def test_what_the_old_primary_did_after_a_promotion_is_lost_and_before_it_not_replicated():
    writes = [
        Write(1.0, 1, 0, 101.0, 7101),  # replicated
        Write(1.1, 2, 0, 101.9, 7101),  # not replicated
        Write(1.3, 3, 0, 102.1, 7101),  # lost
        Write(2.0, 4, 0, 103.0, 7102),
        Write(2.5, 5, 1, 103.5, 7102),  # not replicated to the one after
    ]
    found = judge(
        writes,
        {"1", "4"},
        [(102.0, 7102), (104.0, 7103)],
        before=7101,
        began=1.0,
        named=1.9,
        clients=(0, 1),
        answers=(7, 8),
    )
    assert (found.lost, found.unreplicated) == (1, 2)
    assert (found.readonly, found.refused) == (7, 8)
    assert found.first == pytest.approx(1000)
    assert found.named == pytest.approx(100)
    assert found.everybody is None
    assert found.gap == pytest.approx(700)


def test_the_primary_is_who_was_promoted_last():
    assert primary_at(1.0, [(2.0, 1)]) is None
    assert primary_at(3.0, [(2.0, 1), (4.0, 2)]) == 1


def test_a_promotion_is_read_from_the_log():
    at = datetime(2026, 11, 30, 23, 12, 11, 123000)  # as the server: local time
    log = (
        "9:S 30 Nov 2026 23:12:11.100 * Discarding previously cached master state.\n"
        "9:M 30 Nov 2026 23:12:11.123 * MASTER MODE enabled (user request from 'id=3')\n"
    )
    assert promotions(log) == [at.timestamp()]


def test_a_word_that_is_not_known_is_an_error_that_names_those_that_are():
    with pytest.raises(BenchError, match=r"no 'fats', but a number and: confirmed fast others"):
        main(["3", "fats"])
