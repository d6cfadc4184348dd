"""What ports.Transferable promises, of each part of what changes hands: of ports.ListeningPlane and
ports.ForwardingPlane, and of the counters that go along.
"""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from ambassador.core.plan import AddRoute, RemoveRoute
from ambassador.handover.counters import KernelCounters
from ambassador.model import Endpoint, Inet, Route
from ambassador.planes.kernel.plane import KernelPlane
from ambassador.planes.kernel.privilege import look
from ambassador.planes.relay.plane import RelayPlane
from tests.loops import LoopThread
from tests.names import StaticResolver
from tests.netns import Namespace
from tests.planes import FakePlane
from tests.ports import free_port


def route() -> Route:
    return Route("a", Inet("", free_port()), (Endpoint(Inet("10.0.0.9", 1)),))


class Relay:
    lends = 1  # its listener

    def __init__(self) -> None:
        self.part = self.plane = RelayPlane(StaticResolver(), buffer=65536, backlog=16)

    async def close(self) -> None:
        self.plane.close()


class Kernel:
    lends = 1  # the lock of its table

    def __init__(self) -> None:
        resolver = StaticResolver()
        self.part = self.plane = KernelPlane(resolver, look(), demanded=False, keep_rules=False)

    async def close(self) -> None:
        await self.plane.close()


class Counters:
    lends = 0

    def __init__(self) -> None:
        self.plane = FakePlane("kernel", opened=3)
        self.part = KernelCounters(self.plane)

    async def close(self) -> None:
        pass


class NoCounters(Counters):
    def __init__(self) -> None:
        super().__init__()
        self.part = KernelCounters(None)


PARTS = [
    pytest.param(one, marks=pytest.mark.root) if one is Kernel else one
    for one in (Relay, Kernel, Counters, NoCounters)
]


@pytest.fixture(scope="module")
def namespace():
    return Namespace()


@pytest.fixture
def run(request):
    """Run a test's coroutine with a part of each kind that has one route."""

    def running(kind, test):
        loop = LoopThread(request.getfixturevalue("namespace") if kind is Kernel else None)

        async def main():
            scene, installed = kind(), route()
            await scene.plane.prepare([AddRoute(installed)])
            await scene.plane.apply([AddRoute(installed)])
            try:
                async with asyncio.timeout(20):
                    await test(scene, installed)
            finally:
                await scene.close()

        try:
            loop.do(main())
        finally:
            loop.close()

    return running


@pytest.mark.parametrize("kind", PARTS)
def test_what_it_lends_stays_its_own_until_it_gives_up(run, kind):
    async def test(scene, installed):
        sockets = await scene.part.lend()
        assert len(sockets) == scene.lends
        assert all(sock.fileno() >= 0 for sock in sockets)
        scene.part.pause()
        assert all(sock.fileno() >= 0 for sock in sockets)
        await scene.part.take_back()

    run(kind, test)


@pytest.mark.parametrize("kind", PARTS)
def test_taken_back_it_goes_on_as_before_and_can_be_lent_again(run, kind):
    async def test(scene, installed):
        for pause in (False, True):
            sockets = await scene.part.lend()
            if pause:
                scene.part.pause()
            await scene.part.take_back()
            assert all(sock.fileno() >= 0 for sock in sockets)
            await scene.plane.apply([RemoveRoute(installed)])
            await scene.plane.apply([AddRoute(installed)])
            assert [one.route for one in scene.plane.status()] == [installed]

    run(kind, test)


@pytest.mark.parametrize("kind", PARTS)
def test_given_up_the_socket_of_the_successor_stays_as_it_is(run, kind):
    async def test(scene, installed):
        copies = [os.dup(sock.fileno()) for sock in await scene.part.lend()]
        scene.part.pause()
        scene.part.give_up()
        for copy in copies:
            with socket.socket(fileno=copy) as sock:
                name = sock.getsockname()
                assert name
                if kind is Relay:
                    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                    assert name[1] == installed.listen.port

    run(kind, test)
