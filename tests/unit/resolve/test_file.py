import os

from ambassador.resolve.file import WatchedFile


def age(path):
    """Let the file have been written a minute ago."""
    written = path.stat().st_mtime_ns - 60_000_000_000
    os.utime(path, ns=(written, written))


def test_a_file_is_new_once(tmp_path):
    path = tmp_path / "file"
    path.write_text("one")
    age(path)
    watched = WatchedFile(path)
    assert [watched.changed() for _ in range(3)] == [True, False, False]


def test_writing_and_replacing_it_is_seen(tmp_path):
    path = tmp_path / "file"
    path.write_text("one")
    age(path)
    watched = WatchedFile(path)
    watched.changed()
    path.write_text("two")
    assert watched.changed()
    age(path)
    watched.changed()
    assert not watched.changed()
    before = path.stat()
    other = tmp_path / "other"
    other.write_text("333")
    os.utime(other, ns=(before.st_mtime_ns, before.st_mtime_ns))
    other.replace(path)
    assert watched.changed()


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
