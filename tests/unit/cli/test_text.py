import pytest

from ambassador.cli.text import safe, size, table


def test_a_table_is_aligned_and_has_no_blanks_at_its_end():
    rows = [("redis", ":6379"), ("a", ":1")]
    assert table(("ROUTE", "LISTEN"), rows) == "ROUTE  LISTEN\nredis  :6379\na      :1"
    assert table(("ROUTE", "LISTEN"), []) == "ROUTE  LISTEN"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (3 << 20, "3.0 MiB"),
        (5 << 30, "5.0 GiB"),
        (2048 << 40, "2048.0 TiB"),
    ],
)
def test_bytes_for_people(count, text):
    assert size(count) == text


def test_what_strangers_said_does_not_speak_to_the_terminal():
    evil = "\x1b]0;owned\x07\x1b[2Jforged\r\nline\u202e\x9b1m"
    lines = table(("A", "B"), [(evil, "b")]).splitlines()
    assert len(lines) == 2
    assert lines[1].isprintable()
    text = safe(f"first\n{evil}")
    assert text.split("\n")[0] == "first"
    assert all(line.isprintable() for line in text.split("\n"))
