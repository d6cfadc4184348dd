"""What is said on the wire: descriptors that arrive, rubbish that does not, and who may speak."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from ambassador.errors import RunError
from ambassador.handover.protocol import MOST, beside, may_hand_over, receive, send


@pytest.fixture
def pair():
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    one.setblocking(False)
    other.setblocking(False)
    with one, other:
        yield one, other


@pytest.mark.asyncio
async def test_a_message_arrives_with_all_its_descriptors(pair):
    one, other = pair
    reading, writing = os.pipe()
    try:
        await send(one, "sockets", [writing] * MOST, lent=[True])
        message, descriptors = await receive(other)
        assert message == {"say": "sockets", "lent": [True]}
        assert len(descriptors) == MOST
        assert not any(map(os.get_inheritable, descriptors))
        os.write(descriptors[-1], b"x")
        assert os.read(reading, 1) == b"x"
        for descriptor in descriptors:
            os.close(descriptor)
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.asyncio
async def test_it_waits_for_a_message(pair):
    one, other = pair
    async with asyncio.timeout(5):
        (message, _), _ = await asyncio.gather(receive(other), send(one, "more"))
    assert message == {"say": "more"}


@pytest.mark.asyncio
async def test_the_end_is_no_message(pair):
    one, other = pair
    one.close()
    assert await receive(other) == ({}, [])


@pytest.mark.asyncio
async def test_a_last_word_is_heard_from_one_that_did_not_listen(pair):
    one, other = pair
    await send(other, "unheard")
    await send(one, "farewell")
    one.close()
    async with asyncio.timeout(5):
        assert await receive(other) == ({"say": "farewell"}, [])
        assert await receive(other) == ({}, [])


@pytest.mark.parametrize("data", [b"{", b"[]", b"7", b"{}", b'{"say": 1}', b"\xff"])
@pytest.mark.asyncio
async def test_rubbish_is_an_error_and_its_descriptors_are_closed(pair, data):
    one, other = pair
    reading, writing = os.pipe()
    socket.send_fds(one, [data], [writing])
    os.close(writing)
    with pytest.raises(RunError, match="does not speak like an ambassador"):
        await receive(other)
    assert os.read(reading, 1) == b""  # nobody has the other end any longer
    os.close(reading)


@pytest.mark.parametrize(("user", "mine", "may"), [(7, 7, True), (0, 7, True), (8, 7, False)])
def test_who_may(user, mine, may):
    assert may_hand_over(user, mine) is may


def test_the_place_is_beside_the_admin_socket():
    assert beside(Path("/run/a/admin.sock")) == Path("/run/a/admin.sock.upgrade")
