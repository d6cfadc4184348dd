import os

import pytest

from ambassador.planes.relay import cores as module
from ambassador.planes.relay.cores import cores


@pytest.fixture
def group(tmp_path, monkeypatch):
    """The files of a control group, to be written."""
    monkeypatch.setattr(module, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(module, "_FORMER", (tmp_path / "quota", tmp_path / "period"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)))
    return tmp_path


def test_without_a_group_all_it_may_run_on_count(group):
    assert cores() == 6


@pytest.mark.parametrize(
    ("text", "count"),
    [("max 100000", 6), ("150000 100000", 1.5), ("1000000 100000", 6), ("junk", 6), ("5 0", 6)],
)
def test_a_limit_counts_where_it_is_less(group, text, count):
    (group / "cpu.max").write_text(f"{text}\n")
    assert cores() == count


@pytest.mark.parametrize(("quota", "count"), [("-1", 6), ("200000", 2)])
def test_so_does_a_limit_of_the_former_version(group, quota, count):
    (group / "quota").write_text(f"{quota}\n")
    (group / "period").write_text("100000\n")
    assert cores() == count


def test_here_there_is_at_least_a_part_of_one():
    assert cores() > 0
