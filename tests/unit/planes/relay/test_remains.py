"""A text that outlives its writer."""

import os

import pytest

from ambassador.planes.relay.remains import Text


@pytest.fixture
def text():
    text = Text()
    yield text
    text.close()


def test_another_process_reads_what_was_written_last(text):
    other = Text(os.dup(text.descriptor))
    assert other.read() == b""
    for size in (10, 5000, 3, 0, 70_000, 12):
        text.write(b"x" * size)
        assert other.read() == b"x" * size
    other.close()


def test_a_text_that_is_not_whole_is_never_read(text, monkeypatch):
    for size in (100, 90, 4000, 10):
        text.write(b"a" * size)
        really, written = os.pwrite, []

        def killed(descriptor, data, offset, really=really, written=written):
            if written:
                raise KeyboardInterrupt
            written.append(offset)
            return really(descriptor, data[: len(data) // 2], offset)

        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", killed)
            with pytest.raises(KeyboardInterrupt):
                text.write(b"b" * 500)
        assert text.read() == b"a" * size


def test_it_does_not_grow_without_end(text):
    for number in range(1000):
        text.write(b"x" * (1000 + number % 7))
    assert os.fstat(text.descriptor).st_size < 5000


def test_one_that_is_too_large_leaves_the_one_before(text):
    text.write(b"small")
    with pytest.raises(OSError, match="of this size"):
        text.write(bytes((1 << 28) + 1))
    assert text.read() == b"small"
