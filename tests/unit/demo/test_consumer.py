"""The consumer notes every error and every acknowledged count that is lost."""

import asyncio

import pytest

from ambassador.demo import valkey
from ambassador.demo.consumer import Consumer, Tally, copied
from ambassador.demo.resp import ask
from ambassador.tasks import spawn


@pytest.mark.parametrize(
    ("visits", "lost", "flawless"),
    [
        ([1, 2, 3], 0, True),
        ([1, 3], 0, True),
        ([1, 1], 1, False),
        ([3, 1], 1, False),
        ([], 0, False),
    ],
)
def test_a_tally_knows_a_lost_count(visits, lost, flawless):
    tally = Tally(requests=len(visits))
    for count in visits:
        tally.heard("visits", count, 6379, 0.001)
    assert (tally.lost, tally.flawless) == (lost, flawless)


def test_an_unanswered_request_is_a_flaw():
    tally = Tally(requests=2)
    tally.heard("visits", 1, 6379, 0.001)
    assert not tally.flawless


def consume(port: int, requests: int, meanwhile=None) -> Tally:
    async def scenario():
        consumer, end = Consumer(port, 0.01, Tally()), asyncio.Event()
        running = spawn(consumer.run(end), "consumer")
        async with asyncio.timeout(10):
            while consumer.tally.requests < requests:
                if meanwhile:
                    await meanwhile()
                await asyncio.sleep(0.001)
            end.set()
            await running
        return consumer.tally

    return asyncio.run(scenario())


def test_it_counts_and_stops_when_told():
    async def with_a_service():
        async with valkey.running(valkey.find_program()) as one:
            tally = await asyncio.to_thread(consume, one.port, 5)
            assert await ask(one.port, "GET visits") == [str(tally.visits)]
            return tally, one.port

    tally, port = asyncio.run(with_a_service())
    assert tally.flawless
    assert tally.visits == tally.requests >= 5
    assert tally.answered_by == port


def test_an_acknowledged_count_that_is_gone_is_noticed():
    async def with_a_service():
        async with valkey.running(valkey.find_program()) as one:
            async with asyncio.timeout(10):
                consumer, end = Consumer(one.port, 0.01, Tally()), asyncio.Event()
                running = spawn(consumer.run(end), "consumer")
                while consumer.tally.visits < 2:
                    await asyncio.sleep(0.001)
                await ask(one.port, "SET visits 0")
                while not consumer.tally.lost:
                    await asyncio.sleep(0.001)
                end.set()
                await running
            return consumer.tally

    assert not asyncio.run(with_a_service()).flawless


def test_an_answer_waits_for_the_copy_where_there_is_one():
    async def with_a_copy():
        program = valkey.find_program()
        async with valkey.running(program) as one, valkey.running(program) as copy:
            await ask(copy.port, f"REPLICAOF 127.0.0.1 {one.port}")
            async with asyncio.timeout(10):
                while not copied((await ask(one.port, "ROLE"))[0][1:]):
                    await ask(one.port, "SET a b", "WAIT 1 100")
            tally = await asyncio.to_thread(consume, one.port, 5)
            assert await ask(copy.port, "GET visits") == [str(tally.visits)]
            return tally

    assert asyncio.run(with_a_copy()).flawless


def test_a_request_whose_connection_breaks_is_made_again():
    async def with_a_service():
        broken = 0

        async def serve(reader, writer):
            nonlocal broken
            await reader.read(4096)
            if broken < 2:
                broken += 1
                writer.transport.abort()
                return
            writer.write(b":7\r\n*2\r\n+port\r\n+6379\r\n*3\r\n+master\r\n:0\r\n*0\r\n")
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as peer:
            port = peer.sockets[0].getsockname()[1]
            return await asyncio.to_thread(consume, port, 1)

    tally = asyncio.run(with_a_service())
    assert (tally.broken, tally.errors, tally.answered_by) == (2, [], 6379)


def test_it_goes_on_after_errors_and_keeps_them():
    tally = consume(valkey.free_port(), 3)
    assert len(tally.errors) == tally.requests >= 3
    assert tally.errors[0].startswith("request 1: ")
    assert not tally.flawless


def test_an_answer_of_another_kind_is_an_error():
    async def with_a_service():
        async def serve(reader, writer):
            await reader.read(4096)
            writer.write(b"+OK\r\n+OK\r\n+OK\r\n")
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as peer:
            port = peer.sockets[0].getsockname()[1]
            return await asyncio.to_thread(consume, port, 1)

    assert "unexpected answer" in asyncio.run(with_a_service()).errors[0]
