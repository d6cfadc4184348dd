import pytest

from ambassador.core.retry import FIRST_WAIT, LONGEST_WAIT, attempt_limit, backoff


def test_waits_double_up_to_the_longest():
    waits = [backoff(rounds, 0.0) for rounds in range(14)]
    assert waits[:9] == [0.05] * 9
    assert waits[8:] == [0.05, 0.1, 0.2, 0.4, 0.5, 0.5]
    assert waits[0] == FIRST_WAIT
    assert waits[-1] == LONGEST_WAIT


def test_chance_takes_away_up_to_half():
    assert backoff(0, 0.5) == pytest.approx(FIRST_WAIT * 0.75)
    assert backoff(19, 0.999999) == pytest.approx(LONGEST_WAIT / 2, rel=1e-3)


def test_a_million_rounds_are_no_larger_number():
    assert backoff(10**6, 0.0) == LONGEST_WAIT


@pytest.mark.parametrize(
    ("remaining", "candidates", "limit"),
    [
        (5.0, 1, 2.5),  # time is left to ask for the name again
        (5.0, 2, 2.5),
        (6.0, 3, 2.0),
        (5.0, 100, 0.2),  # many addresses: none gets less than an attempt needs
        (0.1, 1, 0.1),
        (0.0, 1, 0.0),
        (-1.0, 2, -1.0),
    ],
)
def test_an_attempt_gets_its_share_of_what_remains(remaining, candidates, limit):
    assert attempt_limit(remaining, candidates) == pytest.approx(limit)
