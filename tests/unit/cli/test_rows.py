"""The lines of `top`: as wide and as high as the terminal, the selected one among them."""

from dataclasses import replace

import pytest

from ambassador.cli.board import Board, Row
from ambassador.cli.rows import HEIGHT, WIDTH, lines, too_small, wrap
from tests.unit.cli.test_board import DB, END, WEB, view


def shown(board, width=120, height=30, first=0, events=()):
    found, first = lines(board, events, width, height, first)
    return ["".join(text for text, _ in line) for line in found], first, found


@pytest.fixture
def many():
    board = Board()
    board.add(view(*(replace(WEB, name=f"r{number:03}") for number in range(200))), 0.0)
    return board


@pytest.mark.parametrize(("width", "height"), [(60, 12), (80, 24), (130, 40), (200, 60)])
def test_nothing_is_wider_or_higher_than_the_terminal(many, width, height):
    texts, _, _ = shown(many, width, height, events=[("info", "x" * 500)] * 9)
    assert len(texts) <= height - 1  # the last line has keys
    assert max(map(len, texts)) <= width


def test_the_selected_row_is_always_seen(many):
    first = 0
    for steps in (1, 150, 249, -400, 37):
        many.move(steps)
        _, first, found = shown(many, 100, 20, first)
        (cursor,) = [line for line in found if any(tone == "cursor" for _, tone in line)]
        wanted = many.selected.endpoint.removeprefix("tcp://") or many.selected.route
        assert wanted in "".join(text for text, _ in cursor)


def test_reasons_failures_and_marks_are_told():
    board = Board()
    bad = replace(END, failing=True, failures=3, reason="refused", usable=False)
    board.add(view(replace(DB, endpoints=(bad,), refused=7, differs="moved")), 0.0)
    text = "\n".join(shown(board)[0])
    for words in ("unreachable", "3 failures", "refused", "no endpoint", "7 refused"):
        assert words in text


def test_what_an_endpoint_says_does_not_speak_to_the_terminal():
    board = Board()
    board.add(view(replace(WEB, endpoints=(replace(END, reason="\x1b[2Jgone"),))), 0.0)
    assert "\x1b" not in "".join(shown(board)[0])


def test_a_route_alone_and_nothing_yet():
    board = Board()
    assert shown(board)[0][0] == "asking ..."
    board.add(view(WEB), 0.0)
    board.open("web")
    text = "\n".join(shown(board)[0])
    assert "existing  keep" in text
    assert "SESSIONS 0 of 0" in text
    assert board.selected == Row("web")


def test_too_small():
    assert too_small(WIDTH, HEIGHT) == ""
    assert too_small(WIDTH - 1, HEIGHT).startswith("59x12 is too small: 60x12 at least")
    assert too_small(20, HEIGHT) == "too small: 60x12 (q: quit)"


def test_a_long_question_takes_as_many_lines_as_it_needs_and_its_end_is_never_cut():
    assert wrap("cut 7 sessions of db? (y/N)", 14, 5) == ["cut 7 sessions", "of db? (y/N)"]
    assert wrap("cut 7 sessions of db? (y/N)", 14, 1) == ["of db? (y/N)"]
    assert wrap("a" * 9, 4, 2) == ["aaaa", "a"]
