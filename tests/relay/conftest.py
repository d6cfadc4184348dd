"""The relay's tests run on both loops it may run on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
import uvloop

from tests.relay.peers import Peers
from tests.relay.running import LoopFactory, RunningRelay

_LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=list(_LOOPS))
def loop_factory(request: pytest.FixtureRequest) -> LoopFactory:
    return _LOOPS[request.param]


@pytest.fixture
def start_relay(loop_factory: LoopFactory) -> Iterator[Callable[..., RunningRelay]]:
    """Start relays with options; all are closed, and found tidy, in the end."""
    running = []

    def start(**options: object) -> RunningRelay:
        relay = RunningRelay(loop_factory, **options)
        running.append(relay)
        return relay

    yield start
    for relay in running:
        relay.close()


@pytest.fixture
def relay(start_relay: Callable[..., RunningRelay]) -> RunningRelay:
    return start_relay()


@pytest.fixture
def peers() -> Iterator[Peers]:
    peers = Peers()
    yield peers
    peers.close()
