"""What values in etcd say, and what is wrong with them."""

import json

import pytest

from ambassador.core.fleet.keys import Keys
from ambassador.core.fleet.records import (
    Announced,
    Applied,
    Entry,
    Trial,
    Word,
    parse_announced,
    parse_applied,
    parse_entry,
    parse_route,
    parse_trial,
    parse_word,
    written,
)
from ambassador.errors import ConfigError
from ambassador.model import Endpoint, Existing, Fate, Inet, Proto

A, B = Endpoint(Inet("10.0.0.1", 6379)), Endpoint(Inet("db", 6379))
KEYS = Keys("/ambassador")


@pytest.mark.parametrize(
    ("parse", "record"),
    [
        (parse_word, Word((A, B), None, "ann", 5.5)),
        (parse_word, Word()),
        (parse_trial, Trial((A,), "canary", "80", None, "ann")),
        (parse_trial, Trial((A,), "hold")),
        (parse_announced, Announced(A, "host-1")),
        (parse_applied, Applied(7, "applied", ("tcp://10.0.0.1:6379",), "", "host")),
        (parse_applied, Applied(0, "refused", (), "it does not answer")),
        (parse_entry, Entry("move", (A,), (B,), "ann", 7.0)),
        (parse_entry, Entry("undo", (), (B,), "ann", 7.0, 3, "why")),
    ],
)
def test_what_is_written_is_read_as_it_was(parse, record):
    assert parse("/k", written(record)) == record


def test_a_policy_is_written_as_in_a_route():
    word = Word((A,), Existing(Fate.CUT, rate=50))
    assert parse_word("/k", written(word, "cut=50/s")) == word


def test_a_route_has_the_keys_of_a_file():
    text = {
        "schema": 1,
        "listen": ":6379",
        "endpoints": ["tcp://10.0.0.1:6379", "tcp://db:6379?backup"],
        "connect": "2s",
        "existing": "cut",
        "fall": 5,
    }
    route = parse_route(KEYS, "Redis", json.dumps(text))
    assert (route.name, route.service, route.connect) == ("redis", "Redis", 2.0)
    assert (route.listen, route.fall, route.existing.fate) == (Inet("", 6379), 5, Fate.CUT)
    assert route.origin == "etcd /ambassador/routes/Redis"
    assert route.endpoints[1].backup


def test_a_route_may_have_no_endpoints_of_its_own():
    route = parse_route(KEYS, "dns", '{"schema":1,"listen":":53","proto":"udp"}')
    assert (route.proto, route.endpoints, route.service) == (Proto.UDP, (), "dns")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not JSON"),
        ("tcp://a:1", "is not JSON"),
        ("[1]", "is not a JSON object"),
        ("{}", "has no schema"),
        ('{"schema":"1"}', "has a schema that is not a whole number"),
        ('{"schema":true}', "has a schema that is not a whole number"),
        ('{"schema":0}', "is of schema 0"),
        ('{"schema":2}', "is of schema 2, and this ambassador reads 1: a newer one wrote it"),
        ('{"schema":1,"endpoints":"tcp://a:1"}', '"endpoints" is not a list of texts'),
        ('{"schema":1,"endpoints":[1]}', '"endpoints" is not a list of texts'),
        ('{"schema":1,"endpoints":["a:1"]}', '"endpoints"'),
        ('{"schema":1,"endpoints":["tcp://a:1","udp://a:1"]}', "contradicts the protocol"),
        ('{"schema":1,"endpoints":["tcp://a:1","tcp://a:1"]}', "has an endpoint twice"),
        ('{"schema":1,"endpoints":[],"existing":"gone"}', '"existing"'),
        ('{"schema":1,"endpoints":[],"existing":5}', '"existing" is not a text'),
        ('{"schema":1,"endpoints":[],"when":-1}', '"when" is not a time'),
        ('{"schema":1,"endpoints":[],"when":1e300}', '"when" is not a time'),
        ('{"schema":1,"endpoints":[],"when":NaN}', '"when" is not a time'),
        ('{"schema":1,"endpoint":[]}', '"endpoint" is unknown, did you mean "endpoints"?'),
        ('{"schema":1,"endpoints":[' + '"' + "a" * (64 << 10) + '"]}', "is longer than 64 KiB"),
        ("[" * 60000, "is not JSON: nested too deeply"),
    ],
)
def test_a_word_that_makes_no_sense_is_told_with_its_key_and_an_example(text, words):
    with pytest.raises(ConfigError) as caught:
        parse_word("/ambassador/services/redis/word", text)
    (problem,) = caught.value.problems
    assert words in problem.what
    assert problem.where == "/ambassador/services/redis/word"
    if "newer" not in words:
        example = problem.example.partition("'")[2].rstrip("'")
        assert parse_word("/k", example).endpoints


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, '"listen" is missing'),
        ({"listen": 1.5}, '"listen"'),
        ({"listen": ["a"]}, '"listen" is neither a text nor a number'),
        ({"listen": ":6379", "listn": ":1"}, '"listn" is unknown, did you mean "listen"?'),
        ({"listen": ":6379", "connect": "soon"}, '"connect"'),
        ({"listen": ":6379-6380", "endpoints": ["tcp://a:1"]}, "has 2 ports, the endpoint has 1"),
        ({"listen": ":6379", "proto": "sctp"}, '"proto" is unknown'),
        ({"listen": ":6379", "proto": "udp", "endpoints": ["tcp://a:1"]}, "contradicts"),
        ({"listen": ":6379", "user": "x", "endpoints": ["tcp://a:1"]}, "user is for a route"),
    ],
)
def test_a_route_that_makes_no_sense_is_told(fields, words):
    with pytest.raises(ConfigError) as caught:
        parse_route(KEYS, "redis", json.dumps({"schema": 1, **fields}))
    assert any(words in problem.what for problem in caught.value.problems)
    assert {one.where for one in caught.value.problems} == {"/ambassador/routes/redis"}


@pytest.mark.parametrize(
    ("parse", "fields", "words"),
    [
        (parse_trial, {"endpoints": []}, '"kind" is missing'),
        (parse_trial, {"kind": "canery"}, '"kind" is unknown, did you mean "canary"?'),
        (parse_trial, {"kind": "canary", "up_to": "xyz"}, "hexadecimal"),
        (parse_announced, {}, '"endpoint"'),
        (parse_announced, {"endpoint": 1}, '"endpoint" is not a text'),
        (parse_applied, {"revision": 1.5, "state": "applied"}, "not a whole number"),
        (parse_applied, {"revision": 1, "state": "done"}, '"state" is unknown'),
        (parse_entry, {"what": "moved"}, '"what" is unknown, did you mean "move"?'),
    ],
)
def test_every_other_value_is_looked_at_as_closely(parse, fields, words):
    with pytest.raises(ConfigError) as caught:
        parse("/k", json.dumps({"schema": 1, **fields}))
    assert any(words in problem.what for problem in caught.value.problems)
