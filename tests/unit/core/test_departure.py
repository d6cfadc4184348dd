"""When open sessions are ended."""

import pytest

from ambassador.core.departure import LAST_PART, due, grace
from ambassador.model import Existing, Fate

KEEP = Existing()
DRAIN = Existing(Fate.DRAIN, seconds=30.0)
CUT = Existing(Fate.CUT)
SLOWLY = Existing(Fate.CUT, rate=50)


def test_kept_sessions_have_all_the_time_and_none_must_end():
    assert grace(KEEP) is None
    assert due(KEEP, 100, 1e9) == 0


def test_a_drain_ends_what_is_left_over_its_last_part():
    begin = grace(DRAIN)
    assert begin == pytest.approx(24.0)
    assert due(DRAIN, 100, 0.0) == 1
    assert due(DRAIN, 100, 3.0) == 51
    assert due(DRAIN, 100, 30.0 - begin) == 100
    assert begin + DRAIN.seconds * LAST_PART == pytest.approx(30.0)


def test_a_drain_too_short_to_divide_ends_all_at_once():
    assert due(Existing(Fate.DRAIN, seconds=5e-324), 100, 0.0) == 100


def test_a_cut_ends_all_at_once():
    assert grace(CUT) == 0.0
    assert due(CUT, 58_800, 0.0) == 58_800


def test_a_cut_at_a_rate_ends_so_many_a_second():
    assert [due(SLOWLY, 120, second) for second in (0.0, 0.02, 1.0, 2.0, 3.0)] == [
        1, 2, 51, 101, 120,
    ]  # fmt: skip
