import io

import pytest

from ambassador.cli.terminal import complain, wants_colour


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _no_wishes(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_colour_is_for_terminals_only():
    assert wants_colour(Screen())
    assert not wants_colour(io.StringIO())
    assert not wants_colour(None)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [("NO_COLOR", "1", False), ("NO_COLOR", "", True), ("TERM", "dumb", False)],
)
def test_colour_is_only_for_those_who_like_it(monkeypatch, name, value, wanted):
    monkeypatch.setenv(name, value)
    assert wants_colour(Screen()) is wanted


def test_an_error_goes_to_stderr_in_red_where_that_is_welcome(monkeypatch, capsys):
    complain("no route")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "error: no route\n")
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    complain("no route")
    assert screen.getvalue() == "\x1b[1;31merror\x1b[0m: no route\n"
