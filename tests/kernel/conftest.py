"""Tests of this folder need root: they make network namespaces."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kernel.peers import listen
from tests.loops import LoopThread
from tests.netns import Network
from tests.program import Program

_HERE = Path(__file__).parent
ROUTE = "REDIS_PORT_6379_TCP=tcp://10.77.0.4:7000"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.root)


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network()
    yield network
    network.close()


@pytest.fixture
def loop(network: Network) -> Iterator[LoopThread]:
    """A loop in the ambassador's namespace."""
    loop = LoopThread(network.ambassador)
    yield loop
    loop.close()


@pytest.fixture
def start(network: Network) -> Iterator[Callable[..., Program]]:
    """Start programs in the namespace of the ambassador; all are ended."""
    programs: list[Program] = []

    def starting(
        *arguments: str,
        plane: str = "auto",
        wait: bool = True,
        before: tuple[str, ...] = (),
        **environ: str,
    ) -> Program:
        program = Program(
            *(arguments or (ROUTE,)),
            net=network.ambassador,
            before=before,
            AMBASSADOR_PLANE=plane,
            **environ,
        )
        programs.append(program)
        return program.started() if wait else program

    yield starting
    for program in programs:
        program.__exit__()


@pytest.fixture
def endpoint(network: Network) -> Iterator[socket.socket]:
    """What the usual route leads to."""
    with listen(network.old, 7000) as listening:
        listening.settimeout(10)
        yield listening
