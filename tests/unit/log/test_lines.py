import contextlib
import os
import threading

import pytest

from ambassador.log.lines import LineWriter
from tests.wait import until


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        with contextlib.suppress(OSError):  # closed by the test
            os.close(descriptor)


def gap(count):
    return f"[{count} dropped]\n"


def read_until(descriptor, end):
    data = b""
    while end not in data:
        data += os.read(descriptor, 65536)
    return data.decode()


def test_lines_are_written_in_their_order(pipe):
    writer = LineWriter(pipe[1], gap)
    for number in range(5000):
        writer.write(f"{number}\n")
    assert read_until(pipe[0], b"4999\n").split() == [str(number) for number in range(5000)]
    assert writer.flush(5)
    assert writer.dropped == 0


def test_a_reader_who_stands_still_keeps_nobody_waiting_and_learns_what_is_missing(pipe):
    told = []
    writer = LineWriter(pipe[1], gap, lambda: told.append(True), room=100_000)
    line = "x" * 999 + "\n"
    for _ in range(1000):  # 64 KiB fit into the pipe, as much may be in the hands of the thread
        writer.write(line)
    assert writer.dropped > 600
    assert told
    assert not writer.flush(0.01)
    text = read_until(pipe[0], b"dropped]\n")
    assert writer.flush(5)
    writer.write("at last\n")
    text += read_until(pipe[0], b"at last\n")
    lines = text.splitlines()
    kept, missing = lines.count(line.strip()), [one for one in lines if one.startswith("[")]
    assert kept + writer.dropped == 1000
    assert sum(int(one[1:].split()[0]) for one in missing) == writer.dropped
    assert lines[0] == line.strip()
    assert lines[-1] == "at last"
    assert "dropped" in lines[-2]


def test_a_reader_who_has_gone_is_no_failure(pipe):
    told = []
    writer = LineWriter(pipe[1], gap, lambda: told.append(True))
    os.close(pipe[0])
    writer.write("nobody\n")
    until(lambda: writer.dropped == 1)
    until(lambda: told)
    assert writer.flush(5)


def test_a_pipe_that_does_not_block_is_waited_for(pipe):
    os.set_blocking(pipe[1], False)
    writer = LineWriter(pipe[1], gap)
    for _ in range(200):
        writer.write("y" * 999 + "\n")
    writer.write("end\n")
    assert read_until(pipe[0], b"end\n").count("\n") == 201
    assert writer.dropped == 0


def test_without_a_thread_lines_are_counted_and_later_ones_are_written(pipe, monkeypatch):
    def none_left(_self):
        raise RuntimeError("can't start new thread")

    writer = LineWriter(pipe[1], gap)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none_left)
        writer.write("lost\n")
        assert not writer.flush(0)
    assert writer.dropped == 1
    writer.write("there\n")
    assert read_until(pipe[0], b"there\n") == "[1 dropped]\nthere\n"
