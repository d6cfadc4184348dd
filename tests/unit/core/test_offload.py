import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.core.offload import MOST, least_loaded, wanted, workers


@pytest.mark.parametrize(
    ("asked", "cores", "count"),
    [
        (None, 1.0, 0), (None, 1.5, 0), (None, 2.0, 2), (None, 3.7, 3), (None, 64.0, MOST),
        (None, 0.1, 0), (0, 64.0, 0), (5, 1.0, 5), (64, 2.0, 64),
    ],
)  # fmt: skip
def test_a_worker_a_core_unless_there_is_one_or_somebody_says_how_many(asked, cores, count):
    assert workers(asked, cores) == count


@pytest.mark.parametrize(
    ("limit", "running", "busy", "carried", "count"),
    [
        (2, 0, 50, 0, 2),
        (2, 0, 1, 0, 1),
        (2, 1, 1, 1, 1),
        (2, 2, 50, 50, 0),
        (4, 1, 1, 3, 3),
        (4, 1, 0, 0, 0),
        (0, 0, 9, 0, 0),
        (1, 2, 9, 9, 0),
    ],
)
def test_there_are_no_more_workers_than_sessions(limit, running, busy, carried, count):
    assert wanted(limit, running, busy, carried) == count


@given(st.lists(st.integers(0, 20), max_size=8), st.integers(0, 20))
def test_the_one_with_the_fewest_is_next_as_long_as_it_has_room(loads, room):
    place = least_loaded(loads, room)
    if place is None:
        assert all(load >= room for load in loads)
    else:
        assert loads[place] == min(loads) < room
        assert place == loads.index(min(loads))


@given(st.integers(1, 8), st.integers(0, 200))
def test_given_one_by_one_they_are_spread_evenly(count, sessions):
    loads = [0] * count
    for _ in range(sessions):
        loads[least_loaded(loads, 1000)] += 1
    assert max(loads) - min(loads) <= 1
