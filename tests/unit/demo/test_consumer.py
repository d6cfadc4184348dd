"""The consumer notes every error and every count that is lost or told twice."""

import asyncio

import pytest

from ambassador.demo import valkey
from ambassador.demo.consumer import Consumer, Tally
from ambassador.demo.resp import ask
from ambassador.tasks import spawn


@pytest.mark.parametrize(
    ("visits", "lost", "flawless"),
    [([1, 2, 3], 0, True), ([1, 3], 1, False), ([1, 1], 1, False), ([], 0, False)],
)
def test_a_tally_knows_a_lost_count(visits, lost, flawless):
    tally = Tally(requests=len(visits))
    for count in visits:
        tally.heard(count, 6379, 0.001)
    assert (tally.lost, tally.flawless) == (lost, flawless)


def test_an_unanswered_request_is_a_flaw():
    tally = Tally(requests=2)
    tally.heard(1, 6379, 0.001)
    assert not tally.flawless


def consume(port: int, requests: int, meanwhile=None) -> Tally:
    async def scenario():
        consumer, end = Consumer(port, every=0.01), asyncio.Event()
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


def test_a_count_that_somebody_else_made_is_noticed():
    async def with_a_service():
        async with valkey.running(valkey.find_program()) as one:
            await ask(one.port, "SET visits 10")
            return await asyncio.to_thread(consume, one.port, 3)

    assert asyncio.run(with_a_service()).lost == 1


def test_it_goes_on_after_errors_and_keeps_them():
    tally = consume(valkey.free_port(), 3)
    assert len(tally.errors) == tally.requests >= 3
    assert tally.errors[0].startswith("request 1: ")
    assert not tally.flawless


def test_an_answer_of_another_kind_is_an_error():
    async def with_a_service():
        async def serve(reader, writer):
            await reader.read(4096)
            writer.write(b"+OK\r\n+OK\r\n")
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as peer:
            port = peer.sockets[0].getsockname()[1]
            return await asyncio.to_thread(consume, port, 1)

    assert "unexpected answer" in asyncio.run(with_a_service()).errors[0]
