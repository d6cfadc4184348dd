"""What docs/verbs.md promises of every verb: JSON, exit codes, durations, places as shown."""

import json
import re
import shlex
import socket
import threading
from importlib import import_module
from pathlib import Path

import click
import pytest

from ambassador.cli.verbs import VERBS, invoke
from tests.ports import free_port
from tests.wait import until

DOCS = Path(__file__).parents[3]
# Verbs that print nothing to be read by a program, each with the reason.
NO_JSON = {
    "run": "it goes on; its log is JSON with --log json",
    "page": "it opens a browser",
    "demo": "it tells a story",
    "completion": "a script for a shell",
    "announce": "it goes on, as run does",
    "pair": "two commands to type",
}
# One that does what it is asked, of each verb that asks the ambassador of `running`.
DONE = (
    *("status", "status redis", "sessions", "list", "top --once", "history", "history redis"),
    *("hold redis", "release redis", "drain db2:2", "ready db2:2", "maint db2:2", "ready db2:2"),
    *("cut redis", "events", "remove dns", "reset dns", "reload", "healthcheck"),
    *("add NEW_PORT_9_TCP=tcp://127.0.0.1:9 NEW_PORT_9_TCP_LISTEN=127.0.0.1:{port}", "remove new"),
    *("move redis 127.0.0.1:2 --no-verify", "undo redis --no-verify", "reset --all"),
)


def command(verb):
    return import_module(VERBS[verb][0]).command


@pytest.fixture
def typed(running, capsys, monkeypatch):
    """Type a line; return its exit code, what it printed, and what it complained."""
    monkeypatch.setenv("AMBASSADOR_ADMIN", str(running.admin))

    def type_(line):
        capsys.readouterr()
        code = invoke(shlex.split(line))
        said = capsys.readouterr()
        return code, said.out, said.err

    yield type_
    type_("reset --all")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_json_or_a_reason_not_to(verb):
    one = command(verb)
    several = one.commands.values() if isinstance(one, click.Group) else [one]
    flags = [flag for each in several for param in each.params for flag in param.opts]
    assert (flags.count("--json") == 0) is (verb in NO_JSON)


def test_what_each_verb_prints_as_json_is_json(typed):
    for line in (one.format(port=free_port()) for one in DONE):
        code, out, err = typed(f"{line} --json")
        assert code == 0, f"{line}: {err}"
        for part in out.splitlines() if line.startswith("events") else [out]:
            json.loads(part)


@pytest.fixture
def silent():
    """The port of an endpoint that is there and does not answer: its backlog is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        waiting = []
        for _ in range(2):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
            waiting.append(one)
        yield listening.getsockname()[1]
        for one in waiting:
            one.close()


def test_the_exit_codes_of_the_page(typed, running, silent, tmp_path):
    nobody = f"--admin {tmp_path}/nobody.sock"
    for line, code in (
        ("status", 0),
        ("move redis nowhere", 2),
        ("hold rediss", 3),
        ("cut r1.4711", 3),
        ("release redis", 4),
        ("move redis 127.0.0.1:1,db2:2?backup --no-verify", 4),
        ("move redis 127.0.0.1:9", 5),
        (f"move redis 127.0.0.1:{silent} --timeout 100ms", 5),
        (f"status {nobody}", 7),
        (f"healthcheck {nobody}", 1),
        (f"run X_PORT_{running.ports[0]}_TCP=tcp://127.0.0.1:1 --admin off", 1),
    ):
        found, _, err = typed(line)
        assert found == code, f"{line}: {err}"
        assert (code == 0) or err.startswith("error: ")


def test_a_change_that_is_not_begun_in_time_is_6(typed, ambassador, running, silent):
    own = {"AMBASSADOR_ADMIN": str(running.admin)}
    first = []
    line = ("move", "redis", f"127.0.0.1:{silent}", "--timeout", "4s")
    moving = threading.Thread(target=lambda: first.append(ambassador(*line, **own)))
    moving.start()
    until(lambda: typed("hold dns --json")[0] == 0)  # it takes turns with the move's asking
    codes = set()
    while moving.is_alive():
        codes.add(typed("move dns 127.0.0.1:54 --timeout 200ms")[0])
    assert first[0].returncode == 5
    assert 6 in codes


@pytest.mark.parametrize("text", ["2", "2s", "500ms", "1m"])
def test_every_time_is_a_duration(typed, text):
    for line in (
        f"hold redis --timeout {text}",
        "release redis",
        f"move redis 127.0.0.1:2 --no-verify --timeout {text}",
        "reset redis",
        f"drain db2:2 --deadline {text}",
        "ready db2:2",
        f"healthcheck --timeout {text}",
    ):
        code, _, err = typed(line)
        assert code == 0, f"{line}: {err}"


@pytest.mark.parametrize("text", ["soon", "-1s", "5 minutes"])
def test_a_wrong_time_is_told_with_an_example(typed, text):
    for line in ("hold redis --timeout", "move redis h:1 --timeout", "drain db2:2 --deadline"):
        code, _, err = typed(f"{line} '{text}'")
        assert code == 2
        assert "example:" in err or "--help" in err


def lines():
    for path in (DOCS / "README.md", *sorted((DOCS / "docs").glob("*.md"))):
        if path.name in ("decisions.md", "benchmarks.md"):
            continue
        for found in re.findall(r"^ {4}ambassador ((?:[a-z]+) .*|[a-z]+)$", path.read_text(), re.M):
            yield path.name, found


@pytest.mark.parametrize(("page", "line"), list(lines()))
def test_every_command_of_the_pages_is_one(page, line):
    verb, *words = shlex.split(line.partition("   ")[0].partition(" # ")[0].rstrip("\\"))
    one, options = command(verb), {"help_option_names": ["-h", "--help"]}
    if isinstance(one, click.Group) and words:
        one, words = one.commands[words[0]], words[1:]
    one.make_context(verb, words, **options).close()
