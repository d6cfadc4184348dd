"""Questions about sockets, and what is read of the answers, whatever stands there."""

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.planes.kernel.diag import Found, destroying, failure, found, question

FOUR = ("10.0.0.2", 40312), ("10.0.0.2", 6379)
SIX = ("fd00::2", 40312), ("fd00::2", 6379)
COOKIE = bytes(range(8))


@pytest.mark.parametrize(("ends", "family"), [(FOUR, socket.AF_INET), (SIX, socket.AF_INET6)])
def test_a_question_names_both_ends_and_the_protocol(ends, family):
    data = question(7, *ends)
    assert struct.unpack_from("=LHHLL", data) == (len(data), 20, 1, 7, 0)
    assert data[16:18] == bytes([family, socket.IPPROTO_TCP])
    assert struct.unpack_from(">HH", data, 24) == (40312, 6379)
    for place, (host, _) in zip((28, 44), ends, strict=True):
        packed = socket.inet_pton(family, host)
        assert data[place : place + 16] == packed.ljust(16, b"\0")
    assert data[-8:] == b"\xff" * 8  # whatever cookie


def test_only_the_very_socket_that_was_found_is_ended():
    data = destroying(8, *FOUR, COOKIE)
    assert struct.unpack_from("=LHHLL", data) == (len(data), 21, 5, 8, 0)
    assert data[-8:] == COOKIE
    assert data[16:-8] == question(8, *FOUR)[16:-8]


def answer(state):
    body = bytes([2, state, 0, 0]) + question(1, *FOUR)[24:-8] + COOKIE + bytes(20)
    return struct.pack("=LHHLL", 16 + len(body), 20, 0, 1, 0) + body


LISTEN, TIME_WAIT, CLOSE, NEW_SYN_RECV = 10, 6, 7, 12


@pytest.mark.parametrize("state", range(1, 13))
def test_what_listens_or_is_over_is_not_taken_for_a_connection(state):
    assert found(answer(state)) == Found(
        state not in (3, TIME_WAIT, CLOSE, LISTEN, NEW_SYN_RECV), COOKIE
    )


def test_an_error_is_told_from_an_answer():
    refused = struct.pack("=LHHLLi", 36, 2, 0, 1, 0, -2)
    assert failure(refused) == 2
    assert found(refused) is None
    assert failure(struct.pack("=LHHLLi", 36, 2, 0, 1, 0, 0)) == 0
    assert failure(answer(1)) is None


@given(st.binary(max_size=100))
def test_whatever_comes_is_an_answer_or_none(data):
    found(data)
    failure(data)
    for size in range(len(data)):
        found(answer(1)[:size])
