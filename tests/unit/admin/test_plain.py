import json
import time
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import ClassVar

import pytest

from ambassador.admin.openapi import schema_of
from ambassador.admin.plain import decode, encode, from_query, parse_json
from ambassador.core.commands import Move
from ambassador.core.results import Moved, StatusView
from ambassador.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Inner:
    word: str = "x"


@dataclass(frozen=True, slots=True)
class Outer:
    kind: ClassVar[str] = "no field"

    name: str
    count: int = 1
    share: float = 0.5
    sure: bool = False
    names: tuple[str, ...] = ()
    inner: Inner | None = None
    inners: tuple[Inner, ...] = ()


def problems(call):
    with pytest.raises(ConfigError) as raised:
        call()
    return [(one.where, one.what, one.read, one.expected) for one in raised.value.problems]


def test_everything_that_fits():
    value = {
        "name": "a",
        "count": 2**63 - 1,
        "share": 3,
        "sure": True,
        "names": ["b", "c"],
        "inner": {"word": "y"},
        "inners": [{}, {"word": "z"}],
    }
    found = decode(value, Outer)
    inners = (Inner(), Inner("z"))
    assert found == Outer("a", 2**63 - 1, 3.0, True, ("b", "c"), Inner("y"), inners)
    assert type(found.share) is float
    assert decode({"name": "a", "inner": None}, Outer) == Outer("a")


@pytest.mark.parametrize(
    ("value", "where", "what", "read", "expected"),
    [
        (None, "body", "is null", "None", "an object"),
        ([], "body", "is a list", "[]", "an object"),
        (3, "body", "is a whole number", "3", "an object"),
        ({}, "name", "is missing", "", "a text"),
        ({"name": 3}, "name", "is a whole number", "3", "a text"),
        ({"name": None}, "name", "is null", "None", "a text"),
        ({"name": "a", "count": 1.5}, "count", "is a number", "1.5", "a whole number"),
        ({"name": "a", "count": True}, "count", "is true or false", "True", "a whole number"),
        ({"name": "a", "count": "1"}, "count", "is a text", "1", "a whole number"),
        ({"name": "a", "count": 2**63}, "count", "is too large", str(2**63), "a whole number"),
        ({"name": "a", "share": 10**400}, "share", "is too large", None, "a number"),
        ({"name": "a", "share": 1e300}, "share", "is too large", "1e+300", "a number"),
        ({"name": "a", "share": True}, "share", "is true or false", "True", "a number"),
        ({"name": "a", "sure": 1}, "sure", "is a whole number", "1", "true or false"),
        ({"name": "a", "names": "b"}, "names", "is a text", "b", "a list"),
        ({"name": "a", "names": ["b", 1]}, "names[1]", "is a whole number", "1", "a text"),
        ({"name": "a", "inners": [{"word": 1}]}, "inners[0].word", "is a whole number", "1", None),
        ({"name": "a", "inner": 1}, "inner", "is a whole number", "1", "an object"),
        ({"name": "a", "kind": "x"}, "kind", "is not a key of this", "", None),
        ({"name": "a", "nmae": 1}, "nmae", 'is not a key of this, did you mean "name"?', "", None),
        ({"name": "\ud800"}, "name", "has half of a surrogate pair, which is not a character", None,
         "a text"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_its_place(value, where, what, read, expected):
    ((found_where, found_what, found_read, found_expected),) = problems(
        lambda: decode(value, Outer)
    )
    assert (found_where, found_what) == (where, what)
    assert read is None or found_read == read
    assert expected is None or found_expected == expected


def test_every_finding_is_told():
    value = {"name": 1, "count": "x", "y": 1}
    assert [where for where, *_ in problems(lambda: decode(value, Outer))] == ["y", "name", "count"]


def test_what_is_read_is_shown_without_secrets_and_not_endless():
    ((_, _, read, _),) = problems(
        lambda: decode({"name": ["redis://u:secret@h", "x" * 999]}, Outer)
    )
    assert "secret" not in read
    assert len(read) < 300


def test_a_newer_answer_may_have_more_keys():
    value = {"name": "a", "new": 1, "inner": {"new": 2}}
    assert decode(value, Outer, strict=False) == Outer("a", inner=Inner())


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff", r"is not UTF-8 \(byte 0\)"),
        (b"NaN", "NaN is not a number of JSON"),
        (b'{"a":-Infinity}', "-Infinity is not a number of JSON"),
        (b'{"a":1,"a":2}', 'the key "a" is given twice'),
        (b"[" * 100_000, "is nested too deeply"),
        (b"9" * 5000, "is not JSON"),
        (b"{} {}", "is not JSON"),
    ],
)
def test_only_json_is_json(body, what):
    with pytest.raises(ConfigError, match=what):
        parse_json(body)
    assert parse_json(json.dumps({"a": ["\u00e9", 1e3]}).encode()) == {"a": ["\u00e9", 1000.0]}


@dataclass(frozen=True, slots=True)
class Decision:
    route: str = ""
    limit: int = 7
    sure: bool = False


def test_parameters_of_a_query():
    assert from_query([], Decision) == Decision()
    assert from_query([("route", "5"), ("limit", "9"), ("sure", "true")], Decision) == Decision(
        "5", 9, True
    )


@pytest.mark.parametrize(
    ("pairs", "where", "what"),
    [
        ([("limit", "x")], "limit", "is a text"),
        ([("limit", "")], "limit", "is a text"),
        ([("limit", "NaN")], "limit", "is a text"),
        ([("limit", "[1]")], "limit", "is a list"),
        ([("limit", "[" * 100_000)], "limit", "is a text"),
        ([("limit", "1"), ("limit", "2")], "limit", "is given twice"),
        ([("rout", "a")], "rout", 'is not a key of this, did you mean "route"?'),
        ([("sure", "yes")], "sure", "is a text"),
    ],
)
def test_a_wrong_parameter_is_told(pairs, where, what):
    assert [found[:2] for found in problems(lambda: from_query(pairs, Decision))] == [(where, what)]


def test_dataclasses_are_encoded_with_all_that_is_in_them():
    outer = Outer("\u00e9", names=("a", "b"), inner=Inner("y"), inners=(Inner(),))
    assert json.loads(encode(outer)) == asdict(outer) | {
        "names": ["a", "b"],
        "inners": [{"word": "x"}],
    }
    assert decode(json.loads(encode(outer)), Outer) == outer
    assert encode({"a": MappingProxyType({"b": {1}})}) == '{"a": {"b": "{1}"}}'


WRONG = {
    "unknown keys": b"{" + b",".join(b'"k%d":1' % n for n in range(20_000)) + b"}",
    "a key twice": b"{" + b",".join(b'"k%d":1' % n for n in range(20_000)) + b',"k19999":2}',
    "a list of numbers": b'{"route":"a","endpoints":[' + b",".join([b"1"] * 100_000) + b"]}",
    "one long number": b'{"route":' + b"9" * 200_000 + b"}",
    "one long text": b'{"route":"a","endpoints":"' + b"?" * 200_000 + b'"}',
    "lists in lists": b'{"route":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_a_large_body_of_the_wrong_shape_is_refused_soon_and_in_few_words(body):
    began = time.thread_time()
    with pytest.raises(ConfigError) as raised:
        decode(parse_json(body), Move)
    assert time.thread_time() - began < 0.5  # 0.02 s here; some took minutes
    assert len(raised.value.problems) < 40
    assert len(str(raised.value)) < 40_000


def test_an_old_key_stands_beside_the_new_one_and_is_read_where_the_new_one_is_missing():
    moved = Moved("done", "redis", ("tcp://b:1",), ("tcp://a:1",), 1.0, 0)
    plain = json.loads(encode(moved))
    assert plain["from"] == plain["former"] == ["tcp://a:1"]
    assert list(plain)[:5] == ["message", "route", "endpoints", "from", "former"]
    assert decode(plain, Moved) == moved
    for name in ("from", "former"):
        assert decode({key: plain[key] for key in plain if key != name}, Moved) == moved
    with pytest.raises(ConfigError, match="from: is missing"):
        decode({key: plain[key] for key in plain if key not in ("from", "former")}, Moved)


def test_the_document_calls_an_old_key_deprecated():
    schemas = {}
    schema_of(StatusView, schemas)
    properties = schemas["StatusView"]["properties"]
    assert properties["former"] == {**properties["earlier"], "deprecated": True}
    assert "former" not in schemas["StatusView"]["required"]
