"""Its place in the file system, and what it answers later, also to a successor of another version;
what it gives stands in test_successor.py.
"""

import asyncio
import socket
import stat

import pytest

from ambassador.handover.predecessor import Answers, Predecessor
from ambassador.handover.protocol import beside, receive, send, send_text, text_of
from ambassador.model import Reason
from ambassador.tasks import spawn
from tests.planes import FakePlane
from tests.unit.handover.earlier_scene import session


async def nothing():
    return {}


@pytest.mark.asyncio
async def test_the_place_is_for_its_user_and_goes_again(tmp_path):
    admin = tmp_path / "admin.sock"
    predecessor = Predecessor(admin, None)
    await predecessor.start()
    assert stat.S_IMODE(beside(admin).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["admin.sock.upgrade"]
    predecessor.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.asyncio
async def test_the_place_of_a_successor_stays(tmp_path):
    first, second = (
        Predecessor(tmp_path / "admin.sock", None),
        Predecessor(tmp_path / "admin.sock", None),
    )
    await first.start()
    await second.start()
    first.close()
    assert second.path.exists()
    second.close()


async def asked(*questions):
    """Return the plane and the answer to each of `questions`."""
    plane = FakePlane()
    plane.open = [session("r1.1")]
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        for sock in (one, other):
            sock.setblocking(False)
        running = spawn(Answers(other, plane, nothing).run(), "it")
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
        await asyncio.wait_for(Answers(other, FakePlane(), nothing).run(), 5)


@pytest.mark.asyncio
async def test_its_last_word_is_what_it_has_counted_and_nobody_needs_to_listen():
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one:
        one.setblocking(False)
        await Answers(other, FakePlane(), nothing).farewell()
        message, descriptors = await receive(one)
        assert (message, text_of(descriptors)) == ({"say": "farewell"}, b"[{}, {}, []]")
        with pytest.raises(BrokenPipeError):
            await send(one, "numbers")
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    one.close()
    await Answers(other, FakePlane(), nothing).farewell()
