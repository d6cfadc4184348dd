"""What ports.Plane promises, of each plane."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest
import uvloop

from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute
from ambassador.errors import PlaneError
from ambassador.model import Proto
from ambassador.planes.relay.plane import RelayPlane
from tests.names import StaticResolver
from tests.ports import free_port
from tests.relay.running import route


def relay():
    return RelayPlane(StaticResolver(), buffer=262144, backlog=128)


LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=[(relay, loop) for loop in LOOPS], ids=lambda p: f"{p[0].__name__}-{p[1]}")
def run(request):
    """Run a test's coroutine with a plane and the port of an endpoint that echoes."""
    make, loop = request.param

    def running(test):
        async def main():
            echo = await asyncio.start_server(_echo, "127.0.0.1", 0)
            plane = make()
            try:
                async with asyncio.timeout(20):
                    await test(plane, echo.sockets[0].getsockname()[1])
            finally:
                plane.close()
                echo.close()
                for _ in range(20):
                    await asyncio.sleep(0)

        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(main())

    return running


async def _echo(reader, writer):
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


class Client:
    """One connection through the plane."""

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self._writer.close()

    @classmethod
    async def at(cls, port):
        self = cls()
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        return self

    async def speaks(self):
        self._writer.write(b"question")
        return await self._reader.readexactly(8) == b"question"

    async def is_reset(self):
        try:
            await self._reader.read()
        except ConnectionResetError:
            return True
        return False


async def serves(port):
    async with await Client.at(port) as client:
        return await client.speaks()


def names(plane):
    return [status.route.name for status in plane.status()]


def test_its_name_is_the_word_users_write(run):
    async def test(plane, _):
        assert plane.name in {"relay", "kernel"}
        assert list(plane.status()) == []

    run(test)


def test_an_added_route_carries_traffic_and_is_reported(run):
    async def test(plane, endpoint):
        added = route(free_port(), endpoint)
        await plane.apply([AddRoute(added)])
        assert await serves(added.listen.port)
        (status,) = plane.status()
        assert (status.route, status.plane, status.opened) == (added, plane.name, 1)
        assert (status.to_upstream, status.to_client) == (8, 8)

    run(test)


def test_routes_are_reported_in_the_order_they_were_added(run):
    async def test(plane, endpoint):
        for name in ("c", "a", "b"):
            await plane.apply([AddRoute(route(free_port(), endpoint, name=name))])
        assert names(plane) == ["c", "a", "b"]

    run(test)


def test_a_route_that_is_not_here_is_left_out_of_status_and_sessions(run):
    async def test(plane, endpoint):
        here, gone = route(free_port(), endpoint), route(free_port(), endpoint, name="gone")
        await plane.apply([AddRoute(here)])
        assert [status.route for status in plane.status([gone, here])] == [here]
        assert list(await plane.sessions([gone])) == []

    run(test)


def test_a_changed_route_keeps_its_sessions_and_counts(run):
    async def test(plane, endpoint):
        port = free_port()
        before, after = route(port, endpoint), route(port, endpoint, pick="least", connect=1.0)
        await plane.apply([AddRoute(before)])
        async with await Client.at(port) as early:
            assert await early.speaks()
            await plane.apply([ChangeRoute(before, after)])
            assert await early.speaks()
            assert await serves(port)
        (status,) = plane.status()
        assert (status.route, status.opened) == (after, 2)

    run(test)


def test_a_removed_route_is_gone_and_its_sessions_finish(run):
    async def test(plane, endpoint):
        port = free_port()
        installed = route(port, endpoint)
        await plane.apply([AddRoute(installed)])
        async with await Client.at(port) as early:
            assert await early.speaks()
            await plane.apply([RemoveRoute(installed)])
            assert names(plane) == []
            with pytest.raises(ConnectionRefusedError):
                await Client.at(port)
            assert await early.speaks()

    run(test)


@pytest.mark.parametrize("proto", list(Proto))
def test_a_step_that_fails_undoes_those_before_it_and_says_which_and_why(run, proto):
    async def test(plane, endpoint):
        kept, added, taken = (free_port() for _ in range(3))
        installed = route(kept, endpoint, name="kept")
        await plane.apply([AddRoute(installed)])
        kind = socket.SOCK_STREAM if proto is Proto.TCP else socket.SOCK_DGRAM
        with socket.socket(socket.AF_INET, kind) as other:
            other.bind(("0.0.0.0", taken))
            if proto is Proto.TCP:
                other.listen()
            with pytest.raises(PlaneError, match=rf"taken.*:{taken}.*already in use"):
                await plane.apply(
                    [
                        RemoveRoute(installed),
                        AddRoute(route(added, endpoint, name="added")),
                        AddRoute(route(taken, endpoint, name="taken", proto=proto)),
                    ]
                )
        assert names(plane) == ["kept"]
        assert await serves(kept)
        with pytest.raises(ConnectionRefusedError):
            await Client.at(added)
        await plane.apply([AddRoute(route(taken, endpoint, name="taken", proto=proto))])

    run(test)


def test_no_steps_are_no_change(run):
    async def test(plane, endpoint):
        await plane.apply([])
        assert names(plane) == []

    run(test)


def test_drain_ends_at_once_without_sessions(run):
    async def test(plane, endpoint):
        port = free_port()
        await plane.apply([AddRoute(route(port, endpoint))])
        async with asyncio.timeout(2):
            assert await plane.drain(3600) == 0
        with pytest.raises(ConnectionRefusedError):
            await Client.at(port)

    run(test)


def test_drain_cuts_after_the_grace_and_counts(run):
    async def test(plane, endpoint):
        port = free_port()
        await plane.apply([AddRoute(route(port, endpoint))])
        async with await Client.at(port) as one, await Client.at(port) as two:
            assert await one.speaks()
            assert await two.speaks()
            assert await plane.drain(0.1) == 2
            for client in (one, two):
                assert await client.is_reset()

    run(test)


def test_drain_lets_sessions_end(run):
    async def test(plane, endpoint):
        port = free_port()
        await plane.apply([AddRoute(route(port, endpoint))])
        client = await Client.at(port)
        assert await client.speaks()
        draining = asyncio.ensure_future(plane.drain(3600))  # noqa: TID251
        assert await client.speaks()
        assert not draining.done()
        async with client:
            pass
        assert await draining == 0

    run(test)
