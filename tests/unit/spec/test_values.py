import pytest

from ambassador.errors import ConfigError
from ambassador.model import Pick
from ambassador.spec import (
    format_duration,
    format_size,
    parse_duration,
    parse_interval,
    parse_keepalive,
    parse_pick,
    parse_size,
    parse_word,
)


@pytest.mark.parametrize(
    ("text", "seconds", "canonical"),
    [
        ("500ms", 0.5, "500ms"),
        ("5s", 5, "5s"),
        ("5", 5, "5s"),
        ("2m", 120, "2m"),
        ("90s", 90, "90s"),
        ("1h", 3600, "1h"),
        ("1.5s", 1.5, "1500ms"),
        ("0.25", 0.25, "250ms"),
        ("0.0005", 0.0005, "0.0005s"),
    ],
)
def test_a_duration_has_a_unit_or_counts_seconds(text, seconds, canonical):
    assert parse_duration(text) == seconds
    assert format_duration(seconds) == canonical
    assert parse_duration(canonical) == seconds


@pytest.mark.parametrize("text", ["off", "0", "0s"])
def test_off_is_zero_where_zero_makes_sense(text):
    assert parse_duration(text, zero=True) == 0
    assert format_duration(0) == "off"
    with pytest.raises(ConfigError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no duration"),
        ("soon", "no duration"),
        ("-5s", "no duration"),
        ("5 s", "no duration"),
        ("5d", "no duration"),
        ("1e3", "no duration"),
        ("nan", "no duration"),
        ("inf", "no duration"),
        ("\u0665s", "no duration"),
        ("9" * 400, "no duration"),
        ("0", "more than 0"),
        ("0ms", "more than 0"),
        ("9000h", "longer than a year"),
    ],
)
def test_a_malformed_duration_is_named_with_an_example(text, what):
    with pytest.raises(ConfigError) as raised:
        parse_duration(text, "flag --grace")
    (problem,) = raised.value.problems
    assert problem.where == "flag --grace"
    assert what in problem.what
    assert problem.expected == "a number with ms, s, m or h"
    assert parse_duration(problem.example) > 0


@pytest.mark.parametrize("text", ["500ms", "1.5s", "32768", "10h"])
def test_keepalive_takes_what_the_kernel_takes(text):
    with pytest.raises(ConfigError, match="whole seconds up to 32767"):
        parse_keepalive(text)


def test_keepalive_is_whole_seconds_or_off():
    assert parse_keepalive("off") == 0
    assert parse_keepalive("2m") == 120
    assert parse_keepalive("32767") == 32767


@pytest.mark.parametrize(
    ("text", "size", "canonical"),
    [
        ("4096", 4096, "4KiB"),
        ("64KiB", 65536, "64KiB"),
        ("1MiB", 1 << 20, "1MiB"),
        ("1025B", 1025, "1025B"),
        ("2GiB", 2 << 30, "2GiB"),
        ("0", 0, "0B"),
    ],
)
def test_a_size_has_a_binary_unit_or_counts_bytes(text, size, canonical):
    assert parse_size(text) == size
    assert format_size(size) == canonical
    assert parse_size(canonical) == size


@pytest.mark.parametrize("text", ["", "64k", "64KB", "1.5MiB", "-1", "64 KiB", "much"])
def test_a_malformed_size_is_an_error(text):
    with pytest.raises(ConfigError, match="is no size"):
        parse_size(text)


def test_a_word_that_is_none_names_the_nearest():
    assert parse_pick("least") is Pick.LEAST
    with pytest.raises(ConfigError) as raised:
        parse_pick("leest", "here")
    (problem,) = raised.value.problems
    assert problem.what == '"leest" is none of the words, did you mean "least"?'
    assert problem.expected == "one of roundrobin, least, first, random, hash"


def test_a_word_far_from_all_gets_no_guess():
    with pytest.raises(ConfigError) as raised:
        parse_word("xyz", ["text", "json"])
    assert "did you mean" not in raised.value.problems[0].what


@pytest.mark.parametrize("text", ["99ms", "1ms", "0.05s"])
def test_an_interval_that_would_be_a_load_of_its_own(text):
    with pytest.raises(ConfigError, match="is shorter than 100ms"):
        parse_interval(text)
    assert parse_interval("100ms") == 0.1
