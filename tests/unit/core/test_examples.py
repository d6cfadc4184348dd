"""A command as it is typed, and what is typed in place of one that was wrong."""

import shlex

import pytest

from ambassador.admin import client
from ambassador.cli.verbs import VERBS, invoke
from ambassador.core.commands import (
    Add,
    Cut,
    Drain,
    Hold,
    Maint,
    Move,
    Ready,
    Release,
    Remove,
    Reset,
    Sessions,
    Status,
)
from ambassador.core.examples import typed, with_examples
from ambassador.core.results import Done, Moved, SessionList, StatusView
from ambassador.errors import ConfigError, Problem

ANSWERS = {
    Moved: Moved("", "r", (), (), 1.0, 0),
    SessionList: SessionList((), 0),
    StatusView: StatusView("ready", "1", 1, 1.0, ()),
    Done: Done(""),
}
COMMANDS = [
    Status(),
    Sessions("redis", 5),
    Move("redis", ("tcp://a:1", "tcp://b:2?backup"), timeout=20.0),
    Move("redis", ("tcp://a:1",), hold=True, existing="drain=30s", verify=False),
    Hold("redis", 5.0, 7),
    Release("redis"),
    Drain("redis", "tcp://a:1", 30.0),
    Maint("", "tcp://a:1"),
    Ready("redis"),
    Cut("redis", rate=50),
    Add(("A_PORT_1_TCP=tcp://h:1,tcp://g:1?weight=2",)),
    Remove("redis"),
    Reset("redis"),
    Reset(),
]


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_what_is_typed_is_the_command(monkeypatch, command):
    asked = []

    def ask(_path, command, *_rest):
        asked.append(command)
        return ANSWERS[command.result]

    monkeypatch.setattr(client, "ask", ask)
    monkeypatch.setenv("AMBASSADOR_ADMIN", "/nowhere/admin.sock")
    monkeypatch.setattr(client, "find", lambda *_: "/nowhere/admin.sock")
    program, verb, *_ = words = shlex.split(typed(command))
    assert (program, verb in VERBS) == ("ambassador", True)
    assert invoke(words[1:]) == 0
    assert asked == [command]


@pytest.mark.parametrize("command", COMMANDS, ids=str)
@pytest.mark.parametrize("field", ["route", "endpoint", "timeout", "what is new", "body"])
def test_no_error_is_without_an_example(command, field):
    error = with_examples(ConfigError(Problem(field, "is wrong")), command, ())
    assert error.problems[0].example.startswith("ambassador ")
