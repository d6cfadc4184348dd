"""Addresses that reset sessions early: ejected for a growing time, back by one client at a time."""

from ambassador.core.ejection import IN_A_ROW
from ambassador.planes.relay.doubts import DOUBT
from ambassador.planes.relay.resets import EarlyResets

A, B = ("10.0.0.1", 6379), ("10.0.0.2", 6379)


def test_so_many_in_a_row_eject_and_a_good_session_between_does_not():
    turns = []
    resets = EarlyResets(lambda: turns.append(len(resets.out)))
    assert not resets.reset(A, IN_A_ROW - 1, 2, 10.0)
    assert not resets.good(A)
    assert not resets.reset(A, IN_A_ROW - 1, 2, 10.0)
    assert resets.reset(A, 1, 2, 10.0)
    assert not resets.reset(B, IN_A_ROW, 2, 10.0)  # half of them stay
    assert turns == [1]
    assert resets.good(A)
    assert (turns, A in resets.out) == ([1, 0], False)


def test_each_trial_that_fails_doubles_the_time():
    resets = EarlyResets()
    now, pauses = 10.0, []
    resets.reset(A, IN_A_ROW, 2, now)
    for _ in range(4):
        began = now
        while not resets.out.claim(A, now):
            now += 0.5
        assert not resets.out.claim(A, now)  # one client at a time
        assert not resets.reset(A, 1, 2, now)
        pauses.append(now - began)
    assert pauses == [DOUBT, 2 * DOUBT, 4 * DOUBT, 30.0]
