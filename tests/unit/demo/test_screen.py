"""Colour only where it is wanted, and columns that line up."""

import io

import pytest

from ambassador.demo.screen import Screen


@pytest.mark.parametrize("colour", [True, False])
def test_colour(colour):
    stream = io.StringIO()
    Screen(stream, colour=colour).say("consumer", "no error", "good")
    assert ("\x1b[32mno error\x1b[0m" in stream.getvalue()) is colour
    assert ("\x1b" in stream.getvalue()) is colour


def test_lines_line_up_and_end():
    stream = io.StringIO()
    screen = Screen(stream, colour=False)
    screen.say("service", "one")
    screen.say("ambassador", "two")
    screen.plain("", "Next:")
    first, second, *rest = stream.getvalue().split("\n")
    assert first.index("one") == second.index("two")
    assert rest == ["", "Next:", ""]
