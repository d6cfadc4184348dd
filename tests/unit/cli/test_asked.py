from pathlib import Path

import pytest

from ambassador.admin import client
from ambassador.cli.asked import admin_socket
from ambassador.errors import ConfigError, RunError


@pytest.fixture(autouse=True)
def _found(monkeypatch):
    """Say what would be looked for, instead of looking."""
    monkeypatch.setattr(client, "find", lambda _environ, named: Path(named or "/found"))
    monkeypatch.delenv("AMBASSADOR_ADMIN", raising=False)


@pytest.mark.parametrize(
    ("flag", "variable", "asked"),
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
    monkeypatch, flag, variable, asked
):
    monkeypatch.setenv("AMBASSADOR_ADMIN", variable)
    assert admin_socket(flag) == Path(asked)


def test_one_without_an_admin_socket_cannot_be_asked(monkeypatch):
    monkeypatch.setenv("AMBASSADOR_ADMIN", "off")
    with pytest.raises(RunError, match=r"^AMBASSADOR_ADMIN is off: "):
        admin_socket(None)
    with pytest.raises(RunError, match=r"^flag --admin is off: "):
        admin_socket("off")


@pytest.mark.parametrize("text", ["", "relative.sock", "/" + "x" * 107])
def test_a_path_that_makes_no_sense_is_told_with_its_flag(text):
    with pytest.raises(ConfigError, match=r"^flag --admin: "):
        admin_socket(text)
