from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.core.limits import Limits, client_of, is_limited, until_next, wait_of
from ambassador.model import Endpoint, Inet, Limit, Rate, Reason, Route

ROUTE = Route("redis", Inet("", 6379), (Endpoint(Inet("a", 1)),))


def test_a_route_is_limited_by_any_of_them():
    assert not is_limited(ROUTE)
    for limit in (
        {"limit": Limit(1)},
        {"limit_client": Limit(1)},
        {"rate": Rate(1, 1)},
        {"ban": Rate(1, 1)},
    ):
        assert is_limited(replace(ROUTE, **limit))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("fd00::1", "fd00::ffff:0:0:9", True),
        ("fd00::1", "fd00:0:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_who_counts_as_one_client(one, other, same):
    assert (client_of(one) == client_of(other)) is same


def test_as_many_sessions_as_the_route_may_have():
    route, limits = replace(ROUTE, limit=Limit(2)), Limits()
    assert limits.judge(route, "10.0.0.1", 1, 0.0) is None
    assert limits.judge(route, "10.0.0.1", 2, 0.0) is Reason.LIMIT


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["10.0.0.1", "fd00::1", "fd00::2"]))))
def test_no_client_has_more_sessions_than_it_may(events):
    route, limits, here = replace(ROUTE, limit_client=Limit(2)), Limits(), {}
    for comes, host in events:
        client = client_of(host)
        now = here.get(client, 0)
        if comes:
            expected = None if now < 2 else Reason.LIMIT_CLIENT
            assert limits.judge(route, host, 0, 0.0) is expected
            here[client] = min(2, now + 1)
        elif now:
            limits.left(host)
            here[client] = now - 1


@given(st.integers(1, 50), st.lists(st.floats(0, 0.5), max_size=200))
def test_no_more_come_in_any_time_than_are_there_and_come_in_it(count, pauses):
    route, limits, now, taken = replace(ROUTE, rate=Rate(count, 1.0)), Limits(), 0.0, 0
    for pause in pauses:
        now += pause
        taken += limits.judge(route, "10.0.0.1", 0, now) is None
    assert taken <= count + now * count + 1e-6
    if len(pauses) <= count:
        assert taken == len(pauses)


def test_who_is_refused_too_often_is_left_out_for_a_while_and_nobody_else():
    route, limits = replace(ROUTE, limit=Limit(1), ban=Rate(3, 60.0)), Limits()
    for _ in range(3):
        assert limits.judge(route, "10.0.0.1", 1, 100.0) is Reason.LIMIT
    assert limits.judge(route, "10.0.0.1", 0, 159.0) is Reason.BANNED
    assert limits.judge(route, "10.0.0.2", 0, 159.0) is None
    assert limits.judge(route, "10.0.0.1", 0, 160.0) is None


def test_refusals_that_are_far_apart_are_no_reason_for_a_ban():
    route, limits = replace(ROUTE, limit=Limit(1), ban=Rate(2, 60.0)), Limits()
    assert limits.judge(route, "10.0.0.1", 1, 0.0) is Reason.LIMIT
    assert limits.judge(route, "10.0.0.1", 1, 61.0) is Reason.LIMIT
    assert limits.judge(route, "10.0.0.1", 0, 62.0) is None


def test_a_flood_from_everywhere_takes_no_more_memory_than_there_is_for_it():
    route, limits = replace(ROUTE, limit=Limit(1), ban=Rate(2, 60.0)), Limits()
    for number in range(70_000):
        limits.judge(route, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1, 0.0)
    assert len(limits._attempts) == 65_536


def test_who_waits_counts_for_a_ban_only_after_it_has_waited_in_vain():
    route, limits = replace(ROUTE, limit=Limit(1, 2.0), ban=Rate(2, 60.0)), Limits()
    for _ in range(5):
        assert limits.judge(route, "10.0.0.1", 1, 0.0) is Reason.LIMIT
    limits.refused(route, "10.0.0.1", 2.0)
    limits.refused(route, "10.0.0.1", 2.0)
    assert limits.judge(route, "10.0.0.1", 0, 3.0) is Reason.BANNED


def test_each_limit_says_how_long_its_clients_wait():
    route = replace(ROUTE, limit=Limit(1, 2.0), limit_client=Limit(1), rate=Rate(1, 1, 3.0))
    reasons = (Reason.LIMIT, Reason.LIMIT_CLIENT, Reason.RATE, Reason.BANNED)
    assert [wait_of(route, reason) for reason in reasons] == [2.0, 0.0, 3.0, 0.0]
    assert [wait_of(ROUTE, reason) for reason in reasons] == [0.0] * 4


def test_the_next_session_of_a_rate_may_come_when_a_token_is_there():
    route, limits = replace(ROUTE, rate=Rate(10, 1.0)), Limits()
    for _ in range(10):
        assert limits.judge(route, "10.0.0.1", 0, 5.0) is None
    wait = until_next(limits, route, 5.0)
    assert 0.1 <= wait < 0.11
    assert limits.judge(route, "10.0.0.1", 0, 5.0 + wait) is None
    assert until_next(limits, ROUTE, 5.0) == 0.0
