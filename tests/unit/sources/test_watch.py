"""A file that changes is seen, however it is changed, and not while it is being written."""

import os
import time

import pytest

from ambassador.sources import watch as module
from ambassador.sources.watch import FileWatch, is_open_for_writing
from ambassador.tasks import spawn
from tests.loops import LoopThread
from tests.wait import until

LOOK = 0.01
REST = 0.2


@pytest.fixture
def looping():
    looping = LoopThread()
    yield looping
    looping.close()


@pytest.fixture
def watch(looping):
    """Watch a path; return the list of what was read at each change."""
    tasks = []

    def watching(path):
        seen = []

        async def changed():
            seen.append(path.read_text() if path.exists() else None)

        async def start():
            tasks.append(spawn(FileWatch(path, changed, LOOK, REST).run(), "watch"))

        looping.do(start())
        return seen

    yield watching
    for task in tasks:
        looping.call(task.cancel)


def test_written_in_place(watch, tmp_path):
    path = tmp_path / "file"
    path.write_text("a")
    seen = watch(path)
    path.write_text("b")
    until(lambda: seen == ["b"])


def test_replaced_by_a_rename_with_the_same_times_and_size(watch, tmp_path):
    path, other = tmp_path / "file", tmp_path / "other"
    for one, text in ((path, "a"), (other, "b")):
        one.write_text(text)
        os.utime(one, (1, 1))
    seen = watch(path)
    other.rename(path)
    until(lambda: seen == ["b"])


def test_written_and_its_time_set_back(watch, tmp_path):
    path = tmp_path / "file"
    path.write_text("a")
    os.utime(path, (1, 1))
    seen = watch(path)
    path.write_text("b")
    os.utime(path, (1, 1))
    until(lambda: seen == ["b"])


def test_a_config_map_swaps_a_link_two_deep(watch, tmp_path):
    # As kubelet's atomic writer does it: file -> ..data/file, ..data -> ..<time>/
    for name, text in (("..1", "a"), ("..2", "b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(text)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "file").symlink_to("..data/file")
    seen = watch(tmp_path / "file")
    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    until(lambda: seen == ["b"])


def test_it_goes_and_comes_back(watch, tmp_path):
    path = tmp_path / "file"
    path.write_text("a")
    seen = watch(path)
    path.unlink()
    until(lambda: seen == [None])
    path.write_text("b")
    until(lambda: seen == [None, "b"])


def test_while_somebody_has_it_open_for_writing_nothing_is_told(watch, tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    seen = watch(path)
    began = time.monotonic()
    with path.open("a") as file:
        for line in range(3):
            file.write(f"{line}\n")
            file.flush()
            # longer than the file has to rest
            until(lambda line=line: time.monotonic() - began > 2 * REST * (line + 1))
            assert seen == []
    until(lambda: seen)
    assert seen == ["0\n1\n2\n"]


def test_while_it_is_written_piece_by_piece_nothing_is_told(watch, tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    seen = watch(path)
    for line in range(10):
        with path.open("a") as file:
            file.write(f"{line}\n")
        written = time.monotonic()
        until(lambda written=written: time.monotonic() - written > REST / 4)
        assert seen == []
    until(lambda: seen)
    assert seen == ["".join(f"{line}\n" for line in range(10))]


def test_a_file_that_is_replaced_all_the_time_is_read_all_the_same(watch, tmp_path):
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_text("0")
    seen = watch(path)

    def replaced():
        other.write_text("1")
        other.rename(path)
        return seen

    assert until(replaced, 10)[0] == "1"


def test_one_that_is_written_all_the_time_is_read_in_the_end(watch, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_LONGEST_WRITTEN", 1.0)
    path = tmp_path / "file"
    path.write_text("0")
    seen = watch(path)

    def written():
        with path.open("a") as file:
            file.write("1")
        return seen

    assert until(written, 10)[0].startswith("01")


def test_what_reading_it_meets_does_not_end_the_watch(looping, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(module, "_RETRY", 0.01)
    path = tmp_path / "file"
    path.write_text("a")
    calls = []

    async def changed():
        calls.append(path.read_text())
        if len(calls) < 3:
            raise RuntimeError("can't start new thread")

    async def start():
        return spawn(FileWatch(path, changed, LOOK, REST).run(), "watch")

    task = looping.do(start())
    path.write_text("b")
    until(lambda: len(calls) == 3)
    looping.call(task.cancel)
    assert calls == ["b", "b", "b"]
    said = [r.getMessage() for r in caplog.records if getattr(r, "event", "") == "watch_failed"]
    assert "RuntimeError: can't start new thread" in said[0]


def test_whether_somebody_writes(tmp_path):
    path = tmp_path / "file"
    assert not is_open_for_writing(path)
    path.write_text("a")
    assert not is_open_for_writing(path)
    with path.open():
        assert not is_open_for_writing(path)
    with path.open("a"):
        assert is_open_for_writing(path)
    assert not is_open_for_writing(path)
    assert not is_open_for_writing(tmp_path)
