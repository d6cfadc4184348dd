import pytest

from ambassador.core.shares import shares


@pytest.mark.parametrize(
    ("limit", "connections", "questions"),
    [(40, 4, 4), (64, 4, 4), (256, 16, 8), (1024, 64, 32), (20_000, 128, 100), (10**9, 128, 100)],
)
def test_each_has_a_share_that_grows_with_the_limit_up_to_what_is_needed(
    limit, connections, questions
):
    found = shares(limit)
    assert (found.connections, found.questions) == (connections, questions)


@pytest.mark.parametrize("limit", [64, 256, 512, 1024, 20_000])
def test_sessions_have_half_of_the_descriptors_at_least(limit):
    assert shares(limit).reserve(3) <= limit / 2
