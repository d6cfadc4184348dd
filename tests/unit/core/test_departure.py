"""Why sessions leave, and when they are ended."""

import pytest

from ambassador.core.departure import (
    LAST_PART,
    STANDING,
    Departure,
    Look,
    Standing,
    cause,
    due,
    grace,
)
from ambassador.model import Admin, Endpoint, Existing, Fate, Health, Inet, Reason, Route

KEEP = Existing()
DRAIN = Existing(Fate.DRAIN, seconds=30.0)
CUT = Existing(Fate.CUT)
SLOWLY = Existing(Fate.CUT, rate=50)


def whose(**fields):
    """A route with a policy, and one endpoint in the state that `fields` say."""
    endpoint = Endpoint(Inet("db", 6379), **fields)
    return Route("redis", Inet("", 6379), (endpoint, Endpoint(Inet("other", 1))), existing=CUT)


@pytest.mark.parametrize(
    ("address", "fields", "reason"),
    [
        (Inet("db", 6379), {"admin": Admin.MAINT}, Reason.MAINT),
        (Inet("db", 6379), {"health": Health.UNHEALTHY}, Reason.UNHEALTHY),
        (
            Inet("db", 6379),
            {"admin": Admin.MAINT, "health": Health.UNHEALTHY},
            Reason.MAINT,
        ),
        (Inet("db", 6379), {}, Reason.MOVED),  # its name leads elsewhere
        (Inet("db", 6379), {"admin": Admin.DRAIN}, Reason.MOVED),
        (Inet("old", 6379), {"admin": Admin.MAINT}, Reason.MOVED),
        (None, {}, Reason.MOVED),
    ],
)
def test_why_a_session_leaves_follows_from_what_the_route_says_of_its_endpoint(
    address, fields, reason
):
    assert cause(address, whose(**fields)) == Departure(reason, CUT)
    assert cause(address, whose(**fields), removed=True) == Departure(Reason.REMOVED, CUT)


def test_the_policy_of_one_change_counts_for_what_it_moves_and_nothing_else():
    maint = whose(admin=Admin.MAINT)
    assert cause(Inet("old", 1), maint, once=DRAIN) == Departure(Reason.MOVED, DRAIN)
    assert cause(Inet("db", 6379), maint, once=DRAIN) == Departure(Reason.MAINT, CUT)
    assert cause(None, maint, removed=True, once=DRAIN) == Departure(Reason.REMOVED, CUT)


def test_a_session_leaves_once_and_is_spared_when_its_endpoint_is_back():
    assert {
        (Standing.HERE, Look.THERE): Standing.HERE,
        (Standing.HERE, Look.GONE): Standing.LEAVING,
        (Standing.LEAVING, Look.GONE): Standing.LEAVING,
        (Standing.LEAVING, Look.THERE): Standing.HERE,
    } == STANDING


def test_every_cause_has_words_for_the_log():
    causes = (Reason.MOVED, Reason.MAINT, Reason.UNHEALTHY, Reason.REMOVED)
    assert len({Departure(reason, CUT).words for reason in causes}) == 4


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
