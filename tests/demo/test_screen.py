"""Colour only on a terminal and only when it is wanted; columns that line up."""

import io

import pytest

from ambassador.demo.screen import Screen


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "coloured"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colour(stream, environ, coloured):
    Screen(stream, environ).say("consumer", "no error", "good")
    assert ("\x1b[32mno error\x1b[0m" in stream.getvalue()) is coloured
    assert ("\x1b" in stream.getvalue()) is coloured


def test_lines_line_up_and_end():
    stream = io.StringIO()
    screen = Screen(stream, {})
    screen.say("service", "one")
    screen.say("ambassador", "two")
    screen.plain("", "Next:")
    first, second, *rest = stream.getvalue().split("\n")
    assert first.index("one") == second.index("two")
    assert rest == ["", "Next:", ""]
