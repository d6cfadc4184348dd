import time

import pytest

from ambassador.errors import ConfigError
from ambassador.spec.text import Malformed, meant, nearest, refuse_blanks, shown, told


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("tcp://h:1", "tcp://h:1"),
        ("tcp://user:secret@h:1", "tcp://***@h:1"),
        ("redis://:secret@h:1/0", "redis://***@h:1/0"),
        ("user:secret@h:1", "***@h:1"),
        ("tcp://u:p@ss@h:1", "tcp://***@h:1"),
        ("tcp://u:secret@a:1,tcp://u:secret@b:1", "tcp://***@a:1,tcp://***@b:1"),
        ("tcp://u:se,cret@a:1", "tcp://***@a:1"),
        ("postgres://h/db?password=secret&weight=2", "postgres://h/db?password=***&weight=2"),
        ("tcp://h:1?weigth=2", "tcp://h:1?weigth=2"),
        ("tcp://h\x1b[31m:1\n", "tcp://h\\x1b[31m:1\\n"),
        ("caf\udce9", "caf\\udce9"),
    ],
)
def test_what_is_shown_holds_no_secret_and_no_control_character(text, seen):
    assert shown(text) == seen


def test_what_is_shown_is_not_endless():
    assert len(shown("a" * 5000)) < 210


@pytest.mark.parametrize(
    "piece", ["?", "://", "@", "a", "?a", "&a=", "?a=1", "://a@", "x?y&", "\x1b", "=", "tcp://h,"]
)
def test_the_time_it_takes_to_show_a_text_grows_with_its_length_only(piece):
    """60,000 question marks once took 49 s."""
    text = piece * 100_000
    began = time.thread_time()
    assert len(shown(text)) < 2000
    assert time.thread_time() - began < 0.5  # 0.02 s here


def test_a_secret_that_ends_far_behind_what_is_shown_is_none_the_less_hidden():
    assert shown(f"tcp://{'s' * 100_000}@h:1") == "tcp://***@h:1"


def test_of_thousands_of_words_the_nearest_is_found_soon():
    words = [f"route-{number}" for number in range(20_000)]
    began = time.thread_time()
    assert nearest("rout-17", [*words, "rout-1x7"]) in ("route-17", "rout-1x7")
    assert nearest("routes-19999", words) == "route-19999"
    assert time.thread_time() - began < 0.5  # 0.1 s here


def test_told_names_the_place():
    def read(text):
        raise Malformed("is wrong", "right", "good")

    with pytest.raises(ConfigError) as raised:
        told("argument 1", "b\nad", read)
    assert str(raised.value) == (
        "argument 1: is wrong\n  read:     b\\nad\n  expected: right\n  example:  good"
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a b", "a blank"),
        ("a\tb", r"blank \(U\+0009\)"),
        ("a\xa0b", r"blank \(U\+00A0\)"),
        ("a\0b", r"U\+0000"),
        ("a\x7fb", r"U\+007F"),
        ("a\udcffb", r"undecodable character \(U\+DCFF\)"),
    ],
)
def test_blanks_and_control_characters_are_refused(text, what):
    with pytest.raises(Malformed, match=what):
        refuse_blanks(text)


def test_printable_text_is_not_refused():
    refuse_blanks("tcp://[::1]:1?backup&weight=2-ü")


def test_the_nearest_word_is_one_that_looks_alike():
    assert nearest("conect", ["connect", "idle"]) == "connect"
    assert nearest("zzz", ["connect", "idle"]) == ""
    assert meant("conect", ["connect"]) == ', did you mean "connect"?'
    assert meant("zzz", ["connect"]) == ""
