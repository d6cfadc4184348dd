"""Where keys stand in a TOML document, compared with what tomllib finds there."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.sources.keylines import key_lines, line_of

DOCUMENT = '''\
# [route.commented]
title = "a = b" # c = d

[ route . "quoted name" ]
listen = ":6379"
endpoints = [
    "tcp://a:1", # [not.a.table]
    'tcp://b:1', "x = ]",
]
text = """
[route.inside]
key = "no"
\\""" still inside"""
other = \'\'\'
literal = "no" \\\'\'\'
[[list]]
one = {two = 2, three = [1, 2]}
a."b.c".d = 1
'''


def test_each_key_and_table_has_its_line():
    tomllib.loads(DOCUMENT)
    assert key_lines(DOCUMENT) == {
        ("title",): 2,
        ("route", "quoted name"): 4,
        ("route", "quoted name", "listen"): 5,
        ("route", "quoted name", "endpoints"): 6,
        ("route", "quoted name", "text"): 10,
        ("route", "quoted name", "other"): 14,
        ("list",): 16,
        ("list", "one"): 17,
        ("list", "a", "b.c", "d"): 18,
    }


def test_what_has_no_line_has_that_of_what_is_around_it():
    lines = key_lines("a = 1\n[b]\nc = {d = 1}\n")
    assert line_of(lines, ("b", "c", "d")) == 3
    assert line_of(lines, ("b", "missing")) == 2
    assert line_of(lines, ("nowhere",)) == 1


def test_windows_line_ends_count_once():
    assert key_lines("a = 1\r\n\r\n[b]\r\nc = 2\r\n") == {("a",): 1, ("b",): 3, ("b", "c"): 4}


@pytest.mark.parametrize("end", ["''''", '""""', '"""""'])
def test_a_long_string_may_end_in_quotes(end):
    begin = end[:3]
    text = f"a = {begin}x{end}\nb = 1\n"
    tomllib.loads(text)
    assert key_lines(text) == {("a",): 1, ("b",): 2}


VALUES = st.sampled_from(
    ["1", '"x"', "[1,\n 2]", '"""\n[t]\nk = 1\n"""', "{k = 1}", "'#'", "[[1], [\n]] # ]", "1.5"]
)


@given(st.lists(st.tuples(st.sampled_from(["key", "table", "blank"]), VALUES), max_size=12))
def test_every_line_is_the_one_the_key_was_written_in(parts):
    text, expected, table = "", {}, ()
    for number, (kind, value) in enumerate(parts):
        line = text.count("\n") + 1
        if kind == "table":
            table = (f"t{number}", "in ner")
            text += f"[t{number}.'in ner'] # x = 1\n"
            expected[table] = line
        elif kind == "key":
            expected[*table, f"k{number}"] = line
            text += f"k{number} = {value}\n"
        else:
            text += "  # nothing\n\n"
    tomllib.loads(text)
    assert key_lines(text) == expected
