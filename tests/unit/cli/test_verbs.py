import json
import os
import subprocess
import sys

import click
import pytest

from ambassador import __version__
from ambassador.cli.verbs import VERBS, invoke


@pytest.fixture(autouse=True)
def _no_routes(monkeypatch):
    for name in list(os.environ):
        if "_PORT_" in name or name.startswith("AMBASSADOR_"):
            monkeypatch.delenv(name)


def test_version(capsys):
    assert invoke(["--version"]) == 0
    assert capsys.readouterr().out == f"ambassador {__version__}\n"


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_has_a_line_for_each_verb(capsys, flag):
    assert invoke([flag]) == 0
    out = capsys.readouterr().out
    for verb, (_, line) in VERBS.items():
        assert f"\n  {verb:<13}{line}" in out


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_each_verb_has_help_that_begins_with_how_it_is_called(capsys, verb, flag):
    assert invoke([verb, flag]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: ambassador {verb} ")


def test_help_imports_no_verb():
    code = (
        "import sys; from ambassador.cli.verbs import invoke; invoke(['--help']);"
        "print([n for n in sys.modules if n in ('asyncio', 'uvloop', 'ambassador.cli.run')])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_without_a_verb_run_is_meant(capsys):
    assert invoke(["REDIS_PORT_6379_TCP=ftp://192.168.1.52"]) == 2
    assert "argument REDIS_PORT_6379_TCP" in capsys.readouterr().err
    assert invoke(["172.17.0.4", "99999"]) == 2
    assert "arguments 172.17.0.4 99999" in capsys.readouterr().err
    assert invoke(["--grace", "soon"]) == 2
    assert "flag --grace" in capsys.readouterr().err


def test_a_host_that_looks_like_a_verb_is_a_host_before_a_port(capsys):
    assert invoke(["statu", "99999"]) == 2
    assert "arguments statu 99999" in capsys.readouterr().err


@pytest.mark.parametrize(("word", "verb"), [("chekc", "check"), ("Run", "run"), ("stat", "status")])
def test_a_mistyped_verb_is_told_with_the_nearest(capsys, word, verb):
    assert invoke([word]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f'error: argument {word}: is no verb, did you mean "{verb}"?\n')
    assert "expected: one of run, check, " in err
    assert "example:  ambassador run REDIS_PORT_6379_TCP=tcp://192.168.1.52:6379" in err


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["run", "--nosuch"], "No such option '--nosuch'"),
        (["status", "redis", "extra"], "unexpected extra argument"),
        (["completion", "csh"], "'csh' is not one of"),
        (["demo", "--seconds", "soon"], "'soon' is not a valid float"),
    ],
)
def test_wrong_usage_is_told_with_where_to_look(capsys, arguments, what):
    assert invoke(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert what in captured.err
    assert captured.err.endswith(f"\n  help:     ambassador {arguments[0]} --help\n")


def test_an_interrupt_is_130(monkeypatch):
    def interrupted(*_arguments, **_named):
        raise KeyboardInterrupt

    monkeypatch.setattr(click.Command, "invoke", interrupted)
    assert invoke(["check"]) == 130


def test_a_reader_that_is_gone_is_told_to_the_caller(monkeypatch):
    def write(*_arguments, **_named):
        raise BrokenPipeError

    monkeypatch.setattr(click.Command, "invoke", write)
    with pytest.raises(BrokenPipeError):
        invoke(["check"])


def test_words_that_people_type(capsys):
    assert invoke(["version"]) == 0
    assert "ambassador" in capsys.readouterr().out
    assert invoke(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"version": __version__}
    assert invoke(["version", "--jsno"]) == 2
    assert "No such option" in capsys.readouterr().err
    for words, told in ((["help"], "Verbs"), (["help", "move"], "Point ROUTE at other")):
        assert invoke(words) == 0
        assert told in capsys.readouterr().out
