"""What `ports.LoggingIn` promises, of the one there is: one connection that is kept, and closed."""

import asyncio

from ambassador.follow.replicas import keeping_up
from ambassador.model import Endpoint, Inet, Route
from tests.names import StaticResolver

INFO = "role:slave\r\nmaster_replid:a\r\nmaster_link_status:up\r\nmaster_last_io_seconds_ago:{}\r\n"


async def asked(lags, **names):
    """Return what is said while a replica is as far behind as `lags` say, how many connections were
    made for that, and how many are open in the end.
    """
    left, made, open_ones = list(lags), 0, set()

    async def serve(reader, writer):
        nonlocal made
        made += 1
        open_ones.add(writer)
        while left and await reader.read(1000):
            info = INFO.format(left.pop(0))
            writer.write(f"+PONG\r\n${len(info)}\r\n{info}\r\n".encode())
        await reader.read()
        writer.close()
        open_ones.discard(writer)

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        endpoint = Endpoint(Inet("db", port))
        route = Route("r", Inet("", 1), (endpoint,), health="redis-replica", interval=0.5)
        async with keeping_up(StaticResolver(**names), route, endpoint) as why:
            found = [await why() for _ in lags] if names else [await why()]
        deadline = asyncio.get_running_loop().time() + 5
        while open_ones and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
    return found, made, len(open_ones)


def test_nothing_is_said_of_one_that_works_and_the_reason_of_one_that_does_not():
    found, made, left = asyncio.run(asked([0, 30, 1], db=["127.0.0.1"]))
    late = "it is 30.0 s behind (lag is 10 s)"
    assert found == [{"127.0.0.1": why} for why in ("", late, "")]
    assert (made, left) == (1, 0)


def test_a_name_without_an_address_does_not_work():
    (found,) = asyncio.run(asked([]))[0]
    assert list(found) == [""]
    assert "db" in found[""]
