"""Where in etcd what stands."""

import pytest

from ambassador.core.fleet.keys import Keys, Place, after

KEYS = Keys("/fleet")


@pytest.mark.parametrize(
    ("key", "place"),
    [
        (KEYS.route("redis"), Place("route", "redis")),
        (KEYS.word("redis"), Place("word", "redis")),
        (KEYS.trial("re.dis-1"), Place("trial", "re.dis-1")),
        (KEYS.announced("redis", "host-1"), Place("announced", "redis", "host-1")),
        ("/fleet/services/redis", None),
        ("/fleet/services/redis/words", None),
        ("/fleet/services/redis/announced/", None),
        ("/fleet/routes/", None),
        ("/fleet/routes/a b", None),
        ("/fleet/routes/a/b", None),
        ("/fleet/history/redis/1", None),
        ("/other/routes/redis", None),
    ],
)
def test_a_watched_key_speaks_of_one_thing_or_of_none(key, place):
    assert KEYS.place(key) == place


def test_what_ambassadors_watch_has_all_they_follow_and_nothing_they_report():
    first, end = KEYS.watched
    followed = (KEYS.route("a"), KEYS.word("z"), KEYS.trial("a"), KEYS.announced("z", "z"))
    told = (KEYS.applied("a", "b"), KEYS.history("z", 1), KEYS.applied(), "/fleet2/routes/a")
    assert all(first <= key < end for key in followed)
    assert not any(first <= key < end for key in told)


def test_keys_of_a_history_sort_as_its_numbers_do():
    assert sorted(KEYS.history("a", n) for n in (2, 10, 1)) == [
        KEYS.history("a", n) for n in (1, 2, 10)
    ]


def test_the_end_of_a_range_is_behind_all_that_begins_so():
    end = after("/a/")
    assert "/a/zzz" < end <= "/a0"


def test_a_report_is_of_a_service_and_of_somebody():
    assert KEYS.part_of_applied(KEYS.applied("redis", "host-1")) == ("redis", "host-1")
