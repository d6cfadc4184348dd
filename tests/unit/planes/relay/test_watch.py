import asyncio
import socket
import struct

import pytest
import uvloop

from ambassador.planes.relay.watch import ResetWatch


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request):
    def running(coroutine):
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(asyncio.wait_for(coroutine, 5))

    return running


@pytest.fixture
def pair():
    """A connected TCP pair: ours, theirs."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        theirs = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
    with ours, theirs:
        yield ours, theirs


def send_reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


async def turns(count=20):
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_reset_is_told_once(run, pair):
    async def watching():
        watch, seen = ResetWatch(), asyncio.Event()
        calls = []
        watch.add(pair[0].fileno(), lambda: (calls.append(1), seen.set()))
        send_reset(pair[1])
        await seen.wait()
        await turns()
        watch.close()
        return calls

    assert run(watching()) == [1]


def test_data_and_a_half_close_are_not_told(run, pair):
    async def watching():
        watch, calls = ResetWatch(), []
        watch.add(pair[0].fileno(), lambda: calls.append(1))
        pair[1].send(b"data")
        pair[1].shutdown(socket.SHUT_WR)
        await turns()
        before = list(calls)
        seen = asyncio.Event()
        watch.add(pair[0].fileno(), seen.set)  # the later callback stands
        pair[0].recv(10)
        send_reset(pair[1])
        await seen.wait()
        watch.close()
        return before, calls

    assert run(watching()) == ([], [])


def test_what_is_removed_is_not_told(run, pair):
    async def watching():
        watch, calls = ResetWatch(), []
        watch.add(pair[0].fileno(), lambda: calls.append(1))
        watch.remove(pair[0].fileno())
        watch.remove(pair[0].fileno())
        send_reset(pair[1])
        await turns()
        watch.close()
        return calls

    assert run(watching()) == []


def test_a_descriptor_may_be_removed_after_it_was_closed(run, pair):
    async def watching():
        watch, calls = ResetWatch(), []
        descriptor = pair[0].fileno()
        watch.add(descriptor, lambda: calls.append(1))
        pair[0].close()
        watch.remove(descriptor)
        watch.close()
        return calls

    assert run(watching()) == []


def test_one_of_two_that_are_reset_together_may_remove_the_other(run, pair):
    async def watching():
        with socket.create_server(("127.0.0.1", 0)) as listening:
            their = socket.create_connection(listening.getsockname())
            our, _ = listening.accept()
        watch, calls, seen = ResetWatch(), [], asyncio.Event()

        def told(other):
            calls.append(1)
            watch.remove(other.fileno())
            seen.set()

        with our:
            watch.add(pair[0].fileno(), lambda: told(our))
            watch.add(our.fileno(), lambda: told(pair[0]))
            send_reset(pair[1])
            send_reset(their)
            await seen.wait()
            await turns()
            watch.close()
        return calls

    assert run(watching()) == [1]


def test_a_unix_peer_that_closed_is_not_told_but_one_that_left_bytes_unread_is(run):
    async def watching():
        watch, calls, seen = ResetWatch(), [], asyncio.Event()
        ours, theirs = socket.socketpair()
        other, unread = socket.socketpair()
        with ours, other:
            watch.add(ours.fileno(), lambda: calls.append(1))
            watch.add(other.fileno(), seen.set)
            theirs.close()
            await turns()
            other.send(b"unread")
            unread.close()
            await seen.wait()
            watch.close()
        return calls

    assert run(watching()) == []
