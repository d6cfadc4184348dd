"""The table of verbs: what every command has to be."""

import inspect
from dataclasses import MISSING, fields, is_dataclass
from typing import get_args, get_type_hints

import pytest

from ambassador.core import commands
from tests.plain import RESULTS, plain


@pytest.mark.parametrize("kind", commands.VERBS.values(), ids=lambda kind: kind.__name__)
def test_every_field_is_a_plain_value(kind):
    hints = get_type_hints(kind)
    assert is_dataclass(kind)
    assert [f.name for f in fields(kind) if not plain(hints[f.name])] == []
    assert inspect.getdoc(kind)


@pytest.mark.parametrize(("verb", "kind"), commands.VERBS.items())
def test_every_verb_says_what_it_answers_and_whether_it_changes_anything(verb, kind):
    assert verb == kind.__name__.lower()
    assert kind.result in RESULTS
    assert kind.changes is (verb not in ("status", "sessions", "history", "numbers"))
    needed = [f.name for f in fields(kind) if f.default is MISSING]
    assert commands.word(kind(*([""] * len(needed)))) == verb


def test_every_command_is_a_verb():
    assert set(get_args(commands.Command)) == set(commands.VERBS.values())
    assert set(get_args(commands.Result)) == {kind.result for kind in commands.VERBS.values()}
