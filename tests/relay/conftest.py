"""The relay's tests run on both loops it may run on, and with workers that carry every session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
import uvloop

from tests.relay.running import LoopFactory, RunningRelay

_LOOPS = {
    "asyncio": (asyncio.new_event_loop, 0),
    "uvloop": (uvloop.new_event_loop, 0),
    "workers": (uvloop.new_event_loop, 2),
}


@pytest.fixture(params=list(_LOOPS))
def loop_factory(request: pytest.FixtureRequest) -> LoopFactory:
    return _LOOPS[request.param][0]


@pytest.fixture
def workers(request: pytest.FixtureRequest) -> int:
    """How many processes carry sessions beside the relay's own."""
    word = request.node.callspec.params.get("loop_factory")
    return _LOOPS[word][1] if isinstance(word, str) else 0


@pytest.fixture
def start_relay(loop_factory: LoopFactory, workers: int) -> Iterator[Callable[..., RunningRelay]]:
    """Start relays with options; all are closed, and found tidy, in the end."""
    running = []

    def start(**options: object) -> RunningRelay:
        relay = RunningRelay(loop_factory, **{"workers": workers, **options})
        running.append(relay)
        return relay

    yield start
    for relay in running:
        relay.close()


@pytest.fixture
def relay(start_relay: Callable[..., RunningRelay]) -> RunningRelay:
    return start_relay()
