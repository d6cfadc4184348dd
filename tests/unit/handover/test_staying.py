"""What a process that has left answers, also to a successor of another version."""

import asyncio
import socket

import pytest

from ambassador.handover.protocol import receive, send, send_text, text_of
from ambassador.handover.staying import Stayer
from ambassador.model import Reason
from ambassador.tasks import spawn
from tests.planes import FakePlane
from tests.unit.handover.former_scene import session


async def asked(*questions):
    """Return the plane and the answer to each of `questions`."""
    plane = FakePlane()
    plane.open = [session("r1.1")]
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        for sock in (one, other):
            sock.setblocking(False)
        running = spawn(Stayer(other, plane, dict).run(), "it")
        answers = []
        for number, (say, text, more) in enumerate(questions):
            await send_text(one, say, text, n=number, **more)
            message, descriptors = await asyncio.wait_for(receive(one), 5)
            assert message == {"say": "answer", "n": number}
            answers.append(text_of(descriptors))
        one.shutdown(socket.SHUT_RDWR)
        await asyncio.wait_for(running, 5)
    return plane, answers


@pytest.mark.asyncio
async def test_it_answers_what_it_knows_and_is_not_confused_by_the_rest():
    plane, answers = await asked(
        ("numbers", b"", {}),
        ("cut", b"no json", {"reason": "cut"}),
        ("cut", b"7", {"reason": "cut"}),
        ("cut", b'["r1.1"]', {"reason": "a later one"}),
        ("cut", b'["r1.1"]', {}),
        ("what is new", b"", {}),
        ("cut", b'["r1.1", "r1.2"]', {"reason": "moved"}),
    )
    assert answers == [b"[{}, {}, []]", b"0", b"0", b"0", b"0", b"", b"1"]
    assert plane.cuts == [("r1.1", Reason.MOVED)]


@pytest.mark.asyncio
async def test_rubbish_ends_it_quietly():
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        other.setblocking(False)
        one.send(b"{")
        await asyncio.wait_for(Stayer(other, FakePlane(), dict).run(), 5)


@pytest.mark.asyncio
async def test_its_last_word_is_what_it_has_counted_and_nobody_needs_to_listen():
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one:
        one.setblocking(False)
        await Stayer(other, FakePlane(), dict).farewell()
        message, descriptors = await receive(one)
        assert (message, text_of(descriptors)) == ({"say": "farewell"}, b"[{}, {}, []]")
        with pytest.raises(BrokenPipeError):
            await send(one, "numbers")
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    one.close()
    await Stayer(other, FakePlane(), dict).farewell()
