"""The table of verdicts, row by row, and what holds of every run of answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.core.health import Verdict, after
from ambassador.model import Health

UNKNOWN, HEALTHY, UNHEALTHY = Health.UNKNOWN, Health.HEALTHY, Health.UNHEALTHY


@pytest.mark.parametrize(
    ("answers", "health"),
    [
        ("", UNKNOWN),
        ("+", HEALTHY),
        ("-", UNKNOWN),
        ("--", UNKNOWN),
        ("---", UNHEALTHY),
        ("--+", HEALTHY),
        ("+--", HEALTHY),
        ("+--+--", HEALTHY),
        ("+---", UNHEALTHY),
        ("---+", UNHEALTHY),
        ("---+-+", UNHEALTHY),
        ("---++", HEALTHY),
        ("---++--", HEALTHY),
    ],
)
def test_two_good_answers_bring_it_back_and_three_bad_ones_take_it_out(answers, health):
    verdict = Verdict()
    for answer in answers:
        verdict = after(verdict, answer == "+", rise=2, fall=3)
    assert verdict.health is health


@given(
    answers=st.lists(st.booleans(), max_size=40),
    rise=st.integers(1, 5),
    fall=st.integers(1, 5),
)
def test_a_verdict_turns_only_after_a_whole_run_against_it(answers, rise, fall):
    verdict = Verdict()
    for number, answered in enumerate(answers, 1):
        former, verdict = verdict, after(verdict, answered, rise, fall)
        if former.health is not verdict.health and former.health is not UNKNOWN:
            run = rise if verdict.health is HEALTHY else fall
            assert answers[number - run : number] == [answered] * run
        if answers[number - fall : number] == [False] * fall and number >= fall:
            assert verdict.health is UNHEALTHY
        if answers[number - rise : number] == [True] * rise and number >= rise:
            assert verdict.health is HEALTHY
        assert verdict.against < max(rise, fall)
