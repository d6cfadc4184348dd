"""Who may wait at a held route: a table, and no clock."""

import pytest

from ambassador.core.hold import admits, next_overdue, overdue
from ambassador.model import Hold

HOLD = Hold(timeout=30.0, limit=2)


@pytest.mark.parametrize(("waiting", "admitted"), [(0, True), (1, True), (2, False), (3, False)])
def test_no_more_than_the_limit_wait(waiting, admitted):
    assert admits(HOLD, waiting) is admitted


def test_none_is_let_in_where_none_may_wait():
    assert not admits(Hold(limit=0), 0)


@pytest.mark.parametrize(
    ("now", "late"), [(100.0, 0), (129.9, 0), (130.0, 1), (134.9, 1), (135.0, 2), (999.0, 3)]
)
def test_the_oldest_are_late_first(now, late):
    assert overdue(HOLD, (100.0, 105.0, 200.0), now) == late


def test_when_to_look_again():
    assert next_overdue(HOLD, 100.0) == 130.0
    assert next_overdue(HOLD, None) is None
