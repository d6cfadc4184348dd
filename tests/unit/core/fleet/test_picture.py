"""What all keys come to."""

import json

import pytest

from ambassador.core.fleet.allow import ANY, Allowed
from ambassador.core.fleet.keys import Keys
from ambassador.core.fleet.picture import NOTHING, Value, kept, picture

KEYS = Keys("/f")
URL = "tcp://10.0.0.1:6379"


def value(revision=1, lease=0, schema=1, **fields):
    return Value(json.dumps({"schema": schema, **fields}), revision, lease)


ROUTE = value(listen=":6379", endpoints=[URL])
WORD = value(5, endpoints=[URL])


def test_keys_of_one_service_come_together():
    values = {
        KEYS.route("redis"): ROUTE,
        KEYS.word("redis"): WORD,
        KEYS.trial("redis"): value(6, endpoints=[URL], kind="hold"),
        KEYS.announced("redis", "b"): value(7, 9, endpoint="tcp://10.0.0.2:1"),
        KEYS.announced("redis", "a"): value(8, 9, endpoint="tcp://10.0.0.3:1"),
    }
    found = picture(KEYS, values, ANY, routes=True)
    assert [route.name for route in found.routes] == ["redis"]
    assert found.problems == ()
    service = found.service("redis")
    assert (service.word.revision, service.trial.revision) == (5, 6)
    assert [one.endpoint.address.host for one in service.announced] == ["10.0.0.3", "10.0.0.2"]
    assert found.service("db").word is None


def test_without_routes_only_services_are_taken():
    found = picture(KEYS, {KEYS.route("a"): Value("{", 1), KEYS.word("a"): WORD}, ANY, routes=False)
    assert (found.routes, found.problems) == ((), ())
    assert found.service("a").word is not None


def test_a_key_that_makes_no_sense_is_passed_over_and_the_others_count():
    values = {
        KEYS.route("bad"): Value("no json", 1),
        KEYS.route("new"): value(schema=2),
        "/f/services/x": WORD,
        KEYS.route("redis"): ROUTE,
    }
    found = picture(KEYS, values, ANY, routes=True)
    assert [route.name for route in found.routes] == ["redis"]
    assert [one.where for one in found.problems] == [
        "/f/routes/bad",
        "/f/routes/new",
        "/f/services/x",
    ]


def test_what_a_key_said_before_stands_while_it_makes_no_sense():
    key = KEYS.word("redis")
    before = picture(KEYS, {key: WORD}, ANY, routes=True)
    now = picture(KEYS, {key: Value("no json", 6)}, ANY, before, routes=True)
    assert now.service("redis") == before.service("redis")
    assert [one.where for one in now.problems] == [key]
    later = picture(KEYS, {key: value(7, endpoints=[])}, ANY, now, routes=True)
    assert later.service("redis").word.revision == 7
    assert later.problems == ()
    assert picture(KEYS, {}, ANY, now, routes=True).service("redis").word is None


def test_what_is_not_allowed_is_not_taken():
    allowed = Allowed(("redis",), ("192.168.0.0/16",))
    values = {KEYS.route("db"): ROUTE, KEYS.word("db"): WORD, KEYS.word("redis"): WORD}
    found = picture(KEYS, values, allowed, routes=True)
    assert (found.routes, found.services) == ((), {})
    assert [one.where for one in found.problems] == [KEYS.route("db"), KEYS.word("redis")]


def test_a_picture_of_nothing_has_nothing():
    assert NOTHING.service("a").announced == ()


@pytest.mark.parametrize(
    ("before", "now", "anew", "stands"),
    [
        ((0, 0), (), False, True),  # all that people wrote is gone in one moment
        ((0, 0, 5), (5,), False, True),
        ((0,), (), False, False),  # the last one was deleted
        ((0,), (), True, True),  # another store
        ((0, 0), (0,), True, False),
        ((5, 5), (), True, False),  # what stands under a lease goes as it comes
        ((), (), True, False),
    ],
)
def test_a_store_that_was_emptied_is_no_word(before, now, anew, stands):
    def values(leases):
        return {f"/{n}-{lease}": Value("{}", 1, lease) for n, lease in enumerate(leases)}

    assert kept(values(before), values(now), anew=anew) is stands
