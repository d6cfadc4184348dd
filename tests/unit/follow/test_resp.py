"""RESP: replies are read whole, piece by piece, and what is none is told apart."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.follow.resp import Incomplete, Refused, Unreadable, command, parse


def encoded(reply):
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, list):
        return b"*%d\r\n" % len(reply) + b"".join(map(encoded, reply))
    data = reply.encode()
    return b"$%d\r\n%s\r\n" % (len(data), data)


replies = st.recursive(
    st.none() | st.integers() | st.text(max_size=20), lambda few: st.lists(few, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(replies, st.binary(max_size=5))
def test_a_reply_is_read_as_it_was_said_and_what_follows_is_left(reply, rest):
    data = encoded(reply)
    assert parse(data + rest) == (reply, len(data))


@given(replies, st.data())
def test_a_part_of_a_reply_is_incomplete(reply, data):
    whole = encoded(reply)
    part = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(Incomplete):
        parse(part)


@given(st.binary(max_size=60))
def test_nothing_that_is_said_breaks_it(data):
    with contextlib.suppress(Incomplete, Unreadable):
        parse(data)


def test_an_error_is_no_string():
    reply, _ = parse(b"-ERR no\r\n")
    assert isinstance(reply, Refused)
    assert parse(b"+OK\r\n") == ("OK", 5)


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 400\r\n", b":x\r\n", b"$9999999999\r\n", b"*1\r\n" * 20]
)
def test_what_is_no_reply_is_unreadable(data):
    with pytest.raises(Unreadable):
        parse(data)


def test_a_command_is_a_list_of_strings():
    assert command("GET", "é") == b"*2\r\n$3\r\nGET\r\n$2\r\n\xc3\xa9\r\n"
