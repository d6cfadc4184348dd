import os
import time

import pytest

from ambassador.files import WatchedFile, stamp

_now = time.time_ns


@pytest.fixture
def later(monkeypatch):
    """Let a minute pass, whatever the clock of the files says."""
    monkeypatch.setattr("ambassador.files.time.time_ns", lambda: _now() + 60_000_000_000)


def keep_times(path, before):
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.usefixtures("later")
def test_a_file_is_new_once(tmp_path):
    path = tmp_path / "file"
    path.write_text("one")
    watched = WatchedFile(path)
    assert [watched.changed() for _ in range(3)] == [True, False, False]


@pytest.mark.usefixtures("later")
def test_writing_and_replacing_it_is_seen_also_where_the_time_is_set_back(tmp_path):
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_text("one")
    watched = WatchedFile(path)
    watched.changed()
    before = path.stat()
    path.write_text("two")
    keep_times(path, before)
    assert [watched.changed() for _ in range(2)] == [True, False]
    other.write_text("333")
    keep_times(other, before)
    other.replace(path)
    assert [watched.changed() for _ in range(2)] == [True, False]


@pytest.mark.usefixtures("later")
def test_a_file_is_looked_at_through_links(tmp_path):
    one, two, link = tmp_path / "one", tmp_path / "two", tmp_path / "link"
    one.write_text("one")
    two.write_text("two")
    link.symlink_to(one)
    watched = WatchedFile(link)
    watched.changed()
    link.unlink()
    link.symlink_to(two)
    assert watched.changed()


def test_where_there_is_no_file_the_stamp_is_of_the_reason(tmp_path):
    assert stamp(tmp_path / "none") == stamp(tmp_path / "neither")
    assert stamp(tmp_path / "none") != stamp(tmp_path)


def test_a_second_writing_within_one_tick_of_the_clock_is_seen(tmp_path):
    path = tmp_path / "file"
    path.write_text("one")
    watched = WatchedFile(path)
    assert watched.changed()
    first = path.stat().st_mtime_ns
    path.write_text("two")
    os.utime(path, ns=(first, first))
    assert watched.changed()


def test_a_file_may_go_and_come(tmp_path):
    path = tmp_path / "file"
    watched = WatchedFile(path)
    assert [watched.changed() for _ in range(2)] == [True, False]
    path.write_text("one")
    assert watched.changed()
    path.unlink()
    assert [watched.changed() for _ in range(2)] == [True, False]
