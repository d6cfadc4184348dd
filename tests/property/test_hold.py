"""A held route, whatever comes and goes: never more than the limit, nobody beyond the timeout."""

from hypothesis import given
from hypothesis import strategies as st

from ambassador.core.hold import admits, next_overdue, overdue
from ambassador.model import Hold

holds = st.builds(Hold, st.floats(0.1, 60.0), st.integers(0, 5))
moments = st.lists(st.floats(0, 1000), max_size=30).map(sorted)


@given(holds, moments)
def test_nobody_waits_longer_than_allowed_and_no_more_than_may(hold, moments):
    waiting: list[float] = []
    for now in moments:
        late = overdue(hold, waiting, now)
        assert all(now - began >= hold.timeout for began in waiting[:late])
        assert all(now - began < hold.timeout for began in waiting[late:])
        del waiting[:late]
        if admits(hold, len(waiting)):
            waiting.append(now)
        assert len(waiting) <= hold.limit
        again = next_overdue(hold, waiting[0] if waiting else None)
        assert (again is None) is (not waiting)
        assert again is None or again > now or hold.timeout == 0
