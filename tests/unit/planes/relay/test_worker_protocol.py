import contextlib
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.core.session import Event, State
from ambassador.planes.relay.channel import Channel
from ambassador.planes.relay.shared import EACH
from ambassador.planes.relay.worker_messages import (
    Adopt,
    Ask,
    Back,
    Books,
    Box,
    Bring,
    Carries,
    Claim,
    Cut,
    Door,
    Drop,
    Ended,
    Heard,
    Hello,
    Joined,
    Keep,
    Listens,
    News,
    Noted,
    Opened,
    Orphaned,
    Passed,
    PassedSide,
    Ping,
    Return,
    Shut,
    Sum,
    Told,
    Way,
    Whole,
)
from ambassador.planes.relay.worker_protocol import decode, encode, told

COUNTS = st.integers(0, 2**64 - 1)
NUMBERS = st.tuples(COUNTS, COUNTS, COUNTS)
SMALL, TIMES = st.integers(0, 2**32 - 1), st.floats(0, 1e9)
FLAGS, EVENTS = st.booleans(), st.sampled_from(Event)
HOSTS = st.sampled_from(["192.168.1.9", "::1", "fe80::1%eth0"])
CLIENTS = st.none() | st.tuples(HOSTS, st.integers(0, 65535))
WAYS = st.builds(Way, SMALL, st.sampled_from(["10.0.0.1", "::1", "/run/a"]), st.integers(0, 65535))
ITEMS = st.one_of(
    st.builds(Opened, COUNTS, SMALL, SMALL, TIMES, TIMES, st.tuples(COUNTS, COUNTS), CLIENTS),
    st.builds(Joined, COUNTS, SMALL, TIMES, COUNTS),
    st.builds(Ended, COUNTS, EVENTS, COUNTS, COUNTS),
    *(
        st.builds(Sum, SMALL, SMALL, EVENTS, COUNTS, COUNTS, times, st.lists(TIMES).map(tuple))
        for times in (st.just(()), st.lists(TIMES).map(tuple))
    ),
)
DOORS = st.builds(
    Door,
    COUNTS,
    SMALL,
    st.lists(st.integers(0, 9)).map(tuple),
    st.lists(st.lists(WAYS).map(tuple)).map(tuple),
    FLAGS,
    FLAGS,
    TIMES,
    TIMES,
    st.text(max_size=20),
)
SIDES = st.builds(PassedSide, COUNTS, COUNTS, FLAGS, FLAGS, st.integers(0, 255))
PASSED = st.builds(Passed, st.integers(0, 255), st.sampled_from(State), EVENTS, SIDES, SIDES)
MESSAGES = st.one_of(
    st.builds(Return, COUNTS, PASSED),
    st.builds(Back, COUNTS),
    DOORS,
    st.builds(Shut, COUNTS, SMALL),
    st.builds(Heard, COUNTS),
    st.builds(Bring, COUNTS, FLAGS, SMALL, SMALL, TIMES, st.integers(0, 133), FLAGS, CLIENTS),
    st.builds(News, st.lists(ITEMS, max_size=9).map(tuple)),
    st.builds(Adopt, COUNTS, PASSED, st.integers(0, 65535), st.text(max_size=20)),
    st.builds(Cut, COUNTS),
    st.builds(Ask),
    st.builds(Hello),
    st.builds(Ping),
    st.builds(Told, st.booleans(), COUNTS, st.lists(NUMBERS, max_size=50).map(tuple)),
    st.builds(Noted, st.lists(st.tuples(COUNTS, COUNTS), max_size=50).map(tuple)),
    *(st.builds(kind, SMALL) for kind in (Keep, Drop, Claim)),
    st.builds(Orphaned, SMALL, SMALL, SMALL, SMALL),
    st.builds(Listens, SMALL, st.text(max_size=20)),
    st.builds(Books, SMALL, st.tuples(*[COUNTS] * EACH)),
    st.builds(
        Carries,
        COUNTS,
        SMALL,
        SMALL,
        st.tuples(COUNTS, COUNTS),
        COUNTS,
        COUNTS,
        st.text(max_size=9),
    ),
    st.sampled_from([Box(), Whole()]),
)


SIDE = PassedSide(0, 0, True, False, 0)
NEW = Passed(1, State.OPEN, Event.CUT, SIDE, SIDE)


@given(MESSAGES)
def test_what_is_encoded_is_decoded(message):
    assert decode(encode(message)) == message


@given(st.binary(max_size=80))
def test_other_bytes_are_a_message_or_a_value_error(data):
    try:
        message = decode(data)
    except ValueError:
        return
    assert decode(encode(message)) == message


@given(st.lists(NUMBERS, max_size=600))
def test_many_numbers_are_told_in_messages_that_fit_and_the_last_says_so(numbers):
    messages = list(told(numbers))
    assert [one for message in messages for one in message.numbers] == numbers
    assert [message.more for message in messages] == [True] * (len(messages) - 1) + [False]
    assert all(len(encode(message)) <= 4096 for message in messages)


@pytest.fixture
def ends():
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    yield [Channel(sock) for sock in pair]
    for sock in pair:
        sock.close()


def test_messages_arrive_whole_and_in_order(ends):
    one, other = ends
    for key in range(5):
        one.send(Cut(key))
    assert [message for message, _ in other.receive()] == [Cut(key) for key in range(5)]
    assert list(other.receive()) == []


def test_what_finds_no_room_is_kept_until_there_is(ends):
    one, other = ends
    count = 20_000
    for key in range(count):
        one.send(Cut(key))
    descriptor = one.sock.fileno()
    assert one.attach(Adopt(1, NEW), (descriptor, descriptor)) is False  # not before the others
    seen = []
    while len(seen) < count:
        seen += [message.key for message, _ in other.receive()]
        one.flush()
    assert seen == list(range(count))


def test_descriptors_come_along(ends):
    one, other = ends
    reading, writing = os.pipe()
    assert one.attach(Adopt(7, NEW), (reading, writing))
    os.close(reading)
    os.close(writing)
    ((message, (reading, writing)),) = other.receive()
    assert message == Adopt(7, NEW)
    os.write(writing, b"x")
    assert os.read(reading, 1) == b"x"
    os.close(reading)
    os.close(writing)


def test_the_end_of_the_other_side_is_told(ends):
    one, other = ends
    other.send(Hello())
    other.sock.close()
    seen = []
    with pytest.raises(EOFError):
        seen.extend(message for message, _ in one.receive())
    with pytest.raises(OSError):
        one.send(Ask())
    assert one.attach(Adopt(1, NEW), (0, 1)) is False


def test_what_is_kept_for_an_end_that_is_gone_is_closed(ends):
    one, other = ends
    with contextlib.suppress(BlockingIOError):
        while True:
            one.sock.send(b"x" * 1000)
    waits, gone = socket.socket(), socket.socket()
    one.send(Cut(1), (waits,))
    assert waits.fileno() >= 0
    other.sock.close()
    with pytest.raises(OSError):
        one.send(Cut(2), (gone,))
    assert (waits.fileno(), gone.fileno(), one.is_full) == (-1, -1, False)
