import json
from pathlib import Path

import click
import pytest

from ambassador.admin import client
from ambassador.cli.running import addressed, admin_socket, duration, place_of, show
from ambassador.cli.verbs import invoke
from ambassador.core.results import Done
from ambassador.errors import ConfigError, RunError


@pytest.fixture
def found(monkeypatch):
    """Say what would be looked for, instead of looking."""
    monkeypatch.setattr(client, "find", lambda _environ, named, _name: Path(named or "/found"))
    monkeypatch.delenv("AMBASSADOR_ADMIN", raising=False)


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize(
    ("flag", "variable", "socket"),
    [
        (None, "", "/found"),
        (None, "  ", "/found"),
        (None, "/v.sock", "/v.sock"),
        (None, "unix:///v.sock", "/v.sock"),
        ("/f.sock", "/v.sock", "/f.sock"),
        ("unix:///f.sock", "off", "/f.sock"),
    ],
)
def test_the_flag_wins_over_the_variable_and_that_over_what_is_found(
    monkeypatch, flag, variable, socket
):
    monkeypatch.setenv("AMBASSADOR_ADMIN", variable)
    assert admin_socket(flag) == Path(socket)


@pytest.mark.usefixtures("found")
def test_one_without_an_admin_socket_cannot_be_asked(monkeypatch):
    monkeypatch.setenv("AMBASSADOR_ADMIN", "off")
    with pytest.raises(RunError, match=r"^AMBASSADOR_ADMIN is off: "):
        admin_socket(None)
    with pytest.raises(RunError, match=r"^flag --admin is off: "):
        admin_socket("off")


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize("text", ["", "relative.sock", "/" + "x" * 107])
def test_a_path_that_makes_no_sense_is_told_with_its_flag(text):
    with pytest.raises(ConfigError, match=r"^flag --admin: "):
        admin_socket(text)


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (["redis"], {"route": "redis"}),
        (["redis-6379"], {"route": "redis-6379"}),
        (["tcp://db1:5432"], {"endpoint": "tcp://db1:5432"}),
        (["db1:5432"], {"endpoint": "db1:5432"}),
        (["[fd00::1]:5432"], {"endpoint": "[fd00::1]:5432"}),
        (["/run/db.sock"], {"endpoint": "/run/db.sock"}),
        (["redis", "db1:5432"], {"route": "redis", "endpoint": "db1:5432"}),
    ],
)
def test_what_is_a_route_and_what_an_endpoint(words, fields):
    assert place_of(*words) == fields


def test_a_duration_names_its_flag():
    read = duration("--timeout")
    assert read(None, None, None) is None
    assert read(None, None, "2m") == 120
    with pytest.raises(ConfigError, match=r"^flag --timeout: is no duration"):
        read(None, None, "soon")


def test_a_result_is_shown_as_text_or_as_json(capsys):
    done = Done("is done", ("a",), 2)
    show(done, "text", as_json=False)
    assert capsys.readouterr().out == "text\n"
    show(done, "text", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found == {"message": "is done", "routes": ["a"], "sessions": 2}


@pytest.mark.parametrize(
    "arguments",
    [
        ["move", "web", "tcp://h:1"], ["hold", "web"], ["release", "web"], ["drain", "web"],
        ["maint", "web"], ["ready", "web"], ["cut", "web"], ["sessions"], ["events"],
        ["add", "A_PORT_1_TCP=tcp://h:1"], ["remove", "web"], ["reset", "web"], ["reload"],
        ["top", "--once"], ["status"],
    ],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_7_when_there_is_no_ambassador_and_how_to_start_one(arguments, capsys, tmp_path):
    assert invoke([*arguments, "--admin", str(tmp_path / "none.sock")]) == 7
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no ambassador is running here" in captured.err
    assert "ambassador run REDIS_PORT_6379_TCP=tcp://HOST:6379" in captured.err


def test_a_name_says_which_one_is_meant(monkeypatch):
    asked = []
    monkeypatch.delenv("AMBASSADOR_ADMIN", raising=False)
    monkeypatch.setattr(client, "find", lambda environ, named, name: asked.append((named, name)))

    @click.command()
    @addressed
    def verb(admin):
        admin_socket(admin)

    for arguments in (["--name", "web"], [], ["--admin", "/run/a.sock"]):
        verb.main(arguments, standalone_mode=False)
    monkeypatch.setenv("AMBASSADOR_NAME", "api")
    for arguments in (["--name", "web"], [], ["--admin", "/run/a.sock"]):
        verb.main(arguments, standalone_mode=False)
    monkeypatch.setenv("AMBASSADOR_NAME", "/web/ambassador")  # a link called ambassador
    verb.main([], standalone_mode=False)
    assert asked == [
        *(("", "web"), ("", ""), ("/run/a.sock", "")),
        *(("", "web"), ("", "api"), ("/run/a.sock", ""), ("", "")),
    ]
    with pytest.raises(ConfigError, match="names another place than --admin does"):
        verb.main(["--name", "web", "--admin", "/run/a.sock"], standalone_mode=False)
    with pytest.raises(ConfigError, match="flag --name: is not a name for an ambassador"):
        verb.main(["--name", "a/b"], standalone_mode=False)
