"""The bench of containers: what questions say of a turn, and what the page says of that."""

import pytest

from bench.__main__ import main
from bench.containers.cells import CELLS
from bench.containers.clients import Asked
from bench.containers.page import page
from bench.containers.turns import judged

DOWN, UP = 10.0, 12.0


def test_who_waited_is_judged_from_when_the_server_is_up():
    every = [
        Asked(9.0, 9.1, "redis"),
        Asked(9.9, 10.1, wrong="closed"),  # open when the container was stopped
        Asked(10.5, 12.03, "redis"),
        Asked(11.5, 12.25, "redis"),
        Asked(12.5, 12.51, "redis"),
    ]
    turn = judged(every, DOWN, UP)
    assert (round(turn.first), round(turn.last)) == (30, 250)
    assert (turn.asked, turn.wrong, turn.refused, turn.cut) == (5, 0, 0, 1)


def test_another_server_s_answer_is_wrong_and_what_began_later_and_failed_is_refused():
    every = [
        Asked(10.5, 11.0, "other"),
        Asked(10.9, 11.4, "other"),
        Asked(11.9, 12.0, wrong="ConnectionRefusedError"),
        Asked(13.0, 13.5, "redis"),
    ]
    turn = judged(every, DOWN, UP)
    assert (turn.wrong, turn.refused, round(turn.lie)) == (2, 1, 400)
    assert round(turn.last) == 500  # nobody waited: the first one afterwards


def test_nobody_served_is_no_figure_that_looks_good():
    assert judged([Asked(11.0, 41.0, wrong="TimeoutError")], DOWN, UP).last == float("inf")


def test_the_page_has_medians_and_the_longest_with_the_load_beside_them():
    turns = [judged([Asked(11.0, UP + late, "redis")], DOWN, UP) for late in (0.02, 0.09)]
    kept = {
        "relay": {
            "engine": "Docker 28.5.2",
            "cell": "relay",
            "rows": [one._asdict() for one in turns],
            "loads": [0.5, 1.25],
            "at": "2026-11-30 23:50",
        }
    }
    row = "| Docker 28.5.2 | 2 | 2 | 0 | 0 | 55 / 90 | 55 / 90 | 0.5 to 1.2 | 2026-11-30 23:50 |"
    assert row in page(kept)
    assert "## Wake" not in page(kept)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "rely"], f"there is no cell 'rely'; there are {', '.join(CELLS)}"),
        (["containerd"], "'containerd': an engine is docker or podman, or docker:FOLDER"),
        (["docker:/nowhere"], "/nowhere is no root of a system"),
    ],
)
def test_what_makes_no_sense_is_told(capsys, words, said):
    assert main(["containers", *words]) == 2
    assert said in capsys.readouterr().err
