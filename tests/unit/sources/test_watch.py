"""A file that changes is seen, however it is changed, and not while it is being written."""

import os

import pytest

from ambassador.sources.watch import FileWatch
from ambassador.tasks import spawn
from tests.looping import Looping
from tests.wait import until

LOOK = 0.01


@pytest.fixture
def looping():
    looping = Looping()
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
            tasks.append(spawn(FileWatch(path, changed, LOOK).run(), "watch"))

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


def test_while_it_is_being_written_nothing_is_told(looping, watch, tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("")
    looks = []
    look = FileWatch._look
    monkeypatch.setattr(FileWatch, "_look", lambda self: looks.append(1) or look(self))
    seen = watch(path)
    with path.open("a") as file:
        for line in range(5):
            file.write(f"{line}\n")
            file.flush()
            before = len(looks)
            until(
                lambda before=before: len(looks) > before
            )  # each look but the last finds it changed
            assert seen == []
    until(lambda: seen)
    assert seen == ["0\n1\n2\n3\n4\n"]
