"""An admin socket in front of a real reconciler."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ambassador.admin.server import AdminServer
from ambassador.control.reconciler import Reconciler
from ambassador.model import Endpoint, Inet, Route
from ambassador.planes.relay.plane import RelayPlane
from tests.loops import LoopThread
from tests.names import StaticResolver
from tests.ports import free_port
from tests.wishes import Wish

Starts = Callable[[Path], AdminServer]


@pytest.fixture
def looping() -> Iterator[LoopThread]:
    looping = LoopThread()
    yield looping
    looping.close()


@pytest.fixture
def reconciler(looping: LoopThread) -> Iterator[Reconciler]:
    """Has one route, not started yet."""
    plane = looping.call(RelayPlane, StaticResolver(), buffer=65536, backlog=16)
    endpoint = Endpoint(Inet("127.0.0.1", 1))
    wish = Wish(Route("redis", Inet("127.0.0.1", free_port()), (endpoint,), origin="a test"))
    yield looping.call(Reconciler, [wish], plane)
    looping.call(plane.close)


@pytest.fixture
def serve(looping: LoopThread, reconciler: Reconciler) -> Iterator[Starts]:
    """Serve the reconciler at a path; all that is served ends in the end."""
    served: list[AdminServer] = []

    def start(path: Path) -> AdminServer:
        served.append(looping.call(AdminServer, path, reconciler))
        looping.call(served[-1].bind)
        looping.do(served[-1].start())
        return served[-1]

    yield start
    for one in served:
        looping.do(one.stop())
