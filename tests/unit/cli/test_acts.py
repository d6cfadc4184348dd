"""What a key would do, as it is asked."""

from dataclasses import replace

import pytest

from ambassador.cli.acts import act_of
from ambassador.cli.board import Board
from ambassador.core.commands import Cut, Drain, Hold, Ready, Release, Undo
from ambassador.core.results import SessionView
from tests.unit.cli.test_board import END, WEB, view

SESSION = SessionView("r1.7", "web", "10.0.0.9:1", "10.0.0.1:1", 1.0, 0, 0, "relay", "open")


@pytest.fixture
def board():
    board = Board()
    board.add(view(replace(WEB, open=5, endpoints=(replace(END, open=1),))), 0.0)
    return board


@pytest.mark.parametrize(
    ("key", "command"),
    [
        *(("h", Hold("web")), ("r", Release("web")), ("d", Drain("web")), ("a", Ready("web"))),
        *(("c", Cut("web")), ("u", Undo("web"))),
    ],
)
def test_of_a_route(board, key, command):
    act = act_of(key, board)
    assert act.command == command
    assert act.question.endswith("?")
    assert "web" in act.question


def test_of_an_endpoint_with_how_many_it_touches(board):
    board.move(1)
    act = act_of("c", board)
    assert act.command == Cut("web", "tcp://10.0.0.1:1")
    assert act.question.startswith("cut 1 session of ")


def test_of_a_session(board):
    board.open("web")
    assert act_of("c", board).command == Cut("web")
    board.sessions = (SESSION,)
    assert act_of("c", board).command == Cut(session="r1.7")


def test_other_keys_and_nothing_selected_do_nothing(board):
    assert act_of("x", board) is None
    assert act_of("h", Board()) is None
