"""The page of failovers says what was counted."""

from bench.follow.run import EVENTS, Outcome, page


def test_the_page_has_medians_of_times_the_longest_gap_and_sums_of_counts():
    event = next(iter(EVENTS))
    outcomes = [
        Outcome(100.0, 200.0, 10.0, 90.0, 1, 2, 3),
        Outcome(300.0, None, None, 1290.0, 4, 5, 6),
        Outcome(200.0, None, None, 190.0, 0, 0, 0),
    ]
    text = page({("ambassador", event): outcomes}, "0.5")
    assert "| ambassador | 3 | 200 | never | never | 1,290 | 5 | 7 | 9 |" in text
    assert text.count("## ") == len(EVENTS)
