"""Messages as netlink has them."""

import errno
import struct

import pytest

from ambassador.planes.kernel.messages import (
    ACK,
    NEST,
    attribute,
    attributes,
    message,
    messages,
    outcome,
)

HEADER = "=LHHLL"


def answer(kind, sequence, body):
    return struct.pack(HEADER, 16 + len(body), kind, 0, sequence, 7) + body + bytes(-len(body) % 4)


def test_an_attribute_is_padded_but_its_length_is_not():
    assert attribute(3, b"abcde") == struct.pack("=HH", 9, 3) + b"abcde" + bytes(3)
    assert attribute(3, b"") == struct.pack("=HH", 4, 3)


def test_attributes_are_found_by_their_type_however_they_are_nested():
    inner = attribute(1, b"x") + attribute(2, b"yy")
    data = b"before" + attribute(NEST | 9, inner) + attribute(4, b"last") + b"after"
    found = attributes(data, 6, len(data) - 5)
    assert set(found) == {9, 4}
    assert {key: data[slice(*where)] for key, where in attributes(data, *found[9]).items()} == {
        1: b"x",
        2: b"yy",
    }


def test_a_request_is_a_header_a_family_and_attributes():
    body = attribute(1, b"abcd")
    data = message(0x101, ACK, 77, 10, body)
    assert struct.unpack_from(HEADER, data) == (28, 0x101, 5, 77, 0)
    assert data[16:20] == bytes([10, 0, 0, 0])
    assert list(messages(data)) == [(0x101, 77, 20, 28)]


def test_several_messages_in_one_piece_are_told_apart():
    piece = (
        answer(0x100, 1, bytes(4) + attribute(1, b"a"))
        + answer(2, 1, struct.pack("=i", -errno.ENOENT) + b"!")
        + answer(2, 2, struct.pack("=i", 0))
        + answer(3, 3, struct.pack("=i", 0))
    )
    told = [(number, outcome(piece, kind, begin)) for kind, number, begin, _ in messages(piece)]
    assert told == [(1, None), (1, errno.ENOENT), (2, 0), (3, 0)]


@pytest.mark.parametrize("size", range(16))
def test_a_piece_that_ends_early_has_no_message(size):
    assert list(messages(bytes(size))) == []


@pytest.mark.parametrize("length", [0, 1, 15, 19, 1000, 0xFFFFFFFF])
def test_a_message_whose_length_cannot_be_ends_the_piece(length):
    first = answer(0x100, 1, bytes(4) + attribute(1, b"a"))
    broken = struct.pack(HEADER, length, 0x100, 0, 2, 7) + bytes(8)
    assert [number for _, number, _, _ in messages(first + broken + first)] == [1]


@pytest.mark.parametrize("length", [0, 3, 9, 0xFFFF])
def test_an_attribute_whose_length_cannot_be_ends_the_list(length):
    data = attribute(1, b"a") + struct.pack("=HH", length, 2) + bytes(4)
    assert set(attributes(data, 0, len(data))) == {1}


@pytest.mark.parametrize("size", range(1, 4))
def test_a_rest_too_short_for_an_attribute_is_none(size):
    data = attribute(1, b"a") + bytes(size)
    assert set(attributes(data, 0, len(data))) == {1}
