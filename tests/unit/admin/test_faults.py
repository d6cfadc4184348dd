import json

import pytest

from ambassador import errors
from ambassador.admin.faults import FAULTS, MANNERS, as_error, fault_of, view_of
from ambassador.errors import AmbassadorError, ConfigError, Problem

PROBLEM = Problem("route", "is odd", "x", "y", "z")
# Of the program that asks, or of one that never starts: nobody answers with them over HTTP.
NEVER_ANSWERED = {"NobodyError"}
RAISED = [
    kind
    for name in errors.__all__
    if isinstance(kind := getattr(errors, name), type) and issubclass(kind, AmbassadorError)
    if kind is not AmbassadorError and name not in NEVER_ANSWERED
]


def of(kind):
    return kind(PROBLEM, notes=("n",)) if issubclass(kind, ConfigError) else kind("because")


@pytest.mark.parametrize("kind", RAISED)
def test_each_error_arrives_with_its_words_and_its_exit_code(kind):
    error = of(kind)
    found = as_error(json.loads(json.dumps(view_of(error))))
    assert str(found) == str(error)
    assert found.exit_code == error.exit_code == fault_of(error).exit_code
    if isinstance(error, ConfigError):
        assert (found.problems, found.notes) == ((PROBLEM,), ("n",))


def test_words_and_statuses_tell_the_rows_apart():
    assert len({row.kind for row in FAULTS}) == len(FAULTS)
    assert len({row.status for row in FAULTS}) == len(FAULTS)
    assert not {row.status for row in FAULTS} & set(MANNERS)


def test_those_who_must_tell_them_apart_can():
    codes = [row.exit_code for row in FAULTS]
    assert sorted(codes) == [1, 2, 3, 4, 5, 6]
    assert errors.NobodyError.exit_code == 7


def test_a_kind_of_a_newer_ambassador_is_a_failure():
    found = as_error({"kind": "new", "message": "words", "problems": [], "notes": [], "more": 1})
    assert (type(found), str(found)) == (errors.RunError, "words")


@pytest.mark.parametrize("value", [None, [], {}, {"kind": 1, "message": ""}])
def test_what_is_no_error_is_told_as_such(value):
    with pytest.raises(ConfigError):
        as_error(value)
