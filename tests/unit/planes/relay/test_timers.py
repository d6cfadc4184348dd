"""Calls at their time, without an event loop."""

import pytest

from ambassador.planes.relay.timers import Timers
from tests.wait import until


@pytest.fixture
def failures():
    return []


@pytest.fixture
def timers(failures):
    return Timers(failures.append)


def test_nothing_is_waited_for_where_nothing_is_due(timers):
    assert timers.wait() == -1
    timers.run()


def test_each_is_called_once_and_the_earlier_first(timers):
    called = []
    timers.call_later(0.02, lambda: called.append("later"))
    timers.call_later(0.01, lambda: called.append("sooner"))
    assert 0 < timers.wait() <= 0.01
    timers.run()
    assert called == []
    until(lambda: timers.run() or len(called) == 2)
    assert called == ["sooner", "later"]
    assert timers.wait() == -1


def test_two_at_one_time_are_called_in_their_order(timers):
    called = []
    for number in range(5):
        timers.call_later(0.0, lambda number=number: called.append(number))
    timers.run()
    assert called == [0, 1, 2, 3, 4]


def test_one_that_fails_does_not_keep_others_from_being_called(timers, failures):
    called = []
    timers.call_later(0.0, lambda: 1 / 0)
    timers.call_later(0.0, lambda: called.append(True))
    timers.run()
    assert called == [True]
    assert [type(failure) for failure in failures] == [ZeroDivisionError]
