"""What is asked again and again keeps its place within the interval."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.core.rhythm import missed, next_turn

TIMES = st.floats(0, 1e6)


@pytest.mark.parametrize(
    ("now", "turn"),
    [(10.0, 12.0), (10.3, 12.0), (10.9, 12.0), (11.1, 14.0), (12.0, 14.0), (23.5, 26.0)],
)
def test_the_next_turn_is_the_next_but_for_one_that_would_come_too_soon(now, turn):
    assert next_turn(now, 10.0, 2.0) == pytest.approx(turn)


@given(TIMES, TIMES, st.floats(0.1, 3600))
def test_a_turn_is_between_half_an_interval_and_one_and_a_half_away(now, phase, interval):
    turn = next_turn(now, phase, interval)
    assert interval * 0.499 < turn - now < interval * 1.501
    turns = (turn - phase) / interval
    assert turns == pytest.approx(round(turns), abs=1e-3)


def test_what_is_late_by_an_interval_has_missed_its_turn():
    assert not missed(11.9, 10.0, 2.0)
    assert missed(12.1, 10.0, 2.0)
