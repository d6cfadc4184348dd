"""Who may try an address that did not answer."""

from ambassador.planes.relay.doubts import DOUBT, Doubts

A, B = ("10.0.0.1", 6379), ("10.0.0.2", 6379)


def test_nothing_is_doubted_at_first():
    doubts = Doubts()
    assert not doubts.is_doubted(A, 0.0)
    assert not doubts.claim(A, 0.0)
    assert A not in doubts
    assert len(doubts) == 0


def test_one_client_at_a_time_tries_what_is_doubted():
    doubts = Doubts()
    doubts.add(A, 10.0)
    assert doubts.is_doubted(A, 10.0)
    assert not doubts.claim(A, 10.0 + DOUBT - 0.1)
    assert not doubts.is_doubted(A, 10.0 + DOUBT)
    assert [doubts.claim(A, 10.0 + DOUBT) for _ in range(3)] == [True, False, False]
    assert doubts.is_doubted(A, 10.0 + DOUBT)
    assert not doubts.claim(A, 10.0 + 3 * DOUBT - 0.1)  # one that failed is tried half as often
    assert doubts.claim(A, 10.0 + 3 * DOUBT)


def test_what_has_answered_is_doubted_no_longer():
    doubts = Doubts()
    doubts.add(A, 10.0)
    assert doubts.remove(A)
    assert not doubts.remove(A)
    assert A not in doubts


def test_what_was_tried_and_did_not_fail_has_endured():
    doubts = Doubts()
    doubts.add(A, 10.0)
    assert not doubts.endured(A, 10.0 + DOUBT)  # nobody has tried it
    doubts.claim(A, 10.0 + DOUBT)
    assert not doubts.endured(A, 10.0 + 3 * DOUBT - 0.1)
    assert doubts.endured(A, 10.0 + 3 * DOUBT)
    doubts.add(A, 10.0 + 2 * DOUBT)  # it failed meanwhile
    assert not doubts.endured(A, 10.0 + 3 * DOUBT)


def test_what_nobody_tries_is_forgotten():
    doubts = Doubts()
    doubts.add(A, 10.0)
    doubts.add(B, 10.0 + 2 * DOUBT)
    assert A not in doubts
    assert B in doubts
    doubts.forget(10.0 + 4 * DOUBT)
    assert len(doubts) == 0
