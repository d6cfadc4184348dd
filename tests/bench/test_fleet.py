"""The bench of a fleet, with few: real ambassadors, real watchers, moves under both."""

import subprocess
import sys

import pytest

from bench.__main__ import main
from tests.etcd import PROGRAM


@pytest.mark.timeout(120)
def test_it_moves_ambassadors_and_watchers_and_says_what_that_took():
    if PROGRAM is None:
        pytest.skip("etcd is not installed")
    command = (sys.executable, "-m", "bench", "fleet", "2", "6")
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    for row in (
        "| 2 ambassadors: from the command until the last has reported",
        "| 2 ambassadors, a move | etcd ",
        "| 6 watchers, at rest | etcd ",
        "| 6 watchers: until the last has |",
        "| 6 watchers: until all have reported |",
    ):
        assert row in done.stdout, done.stdout


def test_what_is_no_number_is_told(capsys):
    assert main(["fleet", "many"]) == 2
    assert "bench fleet takes two numbers" in capsys.readouterr().err
