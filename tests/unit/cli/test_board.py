"""What `top` has selected and how it is sorted, without a terminal."""

from dataclasses import replace

import pytest

from ambassador.cli.board import SORTS, Board, Row, endpoint_state, trouble
from ambassador.core.results import EndpointView, HoldView, RouteView, StatusView

END = EndpointView("tcp://10.0.0.1:1", "ready", "unknown", "", 0, True)
WEB = RouteView("web", ":80", (END,), "relay", "", 0, 0, 0, 0, 0, 0, "keep", "a test")
DB = replace(WEB, name="db", listen=":5432", endpoints=(END, replace(END, endpoint="tcp://b:1")))


def view(*routes, pid=1):
    return StatusView("ready", "1", pid, 1.0, routes)


@pytest.fixture
def board():
    board = Board()
    board.add(view(WEB, DB), 0.0)
    return board


def test_the_first_is_selected_and_others_by_steps(board):
    assert board.selected == Row("db")
    board.move(2)
    assert board.selected == Row("db", "tcp://b:1")
    board.move(100)
    assert board.selected == Row("web", "tcp://10.0.0.1:1")
    board.move(-100)
    assert board.selected == Row("db")


def test_one_that_has_gone_is_selected_no_longer(board):
    board.add(view(WEB), 1.0)
    assert board.selected == Row("web")
    board.add(view(), 2.0)
    assert board.selected is None


def test_it_is_filtered_by_words(board):
    board.filter = "5432 B:1"
    assert [one.name for one in board.routes()] == ["db"]
    board.filter = "nothing"
    assert board.rows() == []


def test_it_is_sorted_by_each_column(board):
    busy = replace(WEB, open=3, opened=10, to_client=1000)
    board.add(view(busy, DB), 1.0)
    for sort in SORTS[1:4]:
        board.sort_next()
        assert board.sort == sort
        assert [one.name for one in board.routes()] == ["web", "db"]


def test_totals_and_the_one_scale_of_all_plots(board):
    board.add(view(replace(WEB, open=3, opened=10, to_client=1000, refused=2), DB), 2.0)
    totals = board.totals()
    assert (totals["open"], totals["new/s"], totals["down/s"], totals["refused"]) == (3, 5, 500, 2)
    assert board.scale() == (5.0, 500.0)


def test_another_process_counts_anew(board):
    board.add(view(replace(WEB, opened=10), pid=2), 1.0)
    assert board.series["web"].last("opened") == 0.0


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, "not probed"),
        ({"health": "healthy"}, "healthy"),
        ({"health": "unhealthy"}, "unhealthy"),
        ({"failing": True}, "unreachable"),
        ({"admin": "drain", "failing": True}, "drain"),
        ({"admin": "maint"}, "maint"),
    ],
)
def test_how_an_endpoint_is(fields, word):
    assert endpoint_state(replace(END, **fields))[1] == word


def test_how_bad_a_route_is():
    assert trouble(WEB) == 0
    assert trouble(replace(WEB, hold=HoldView(0, 1, 1.0))) == 1
    assert trouble(replace(WEB, endpoints=(END, replace(END, health="unhealthy")))) == 2
    assert trouble(replace(WEB, endpoints=(replace(END, usable=False),))) == 3
