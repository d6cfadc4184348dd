"""Tests of this folder need root: they make network namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loops import LoopThread
from tests.netns import Network

_HERE = Path(__file__).parent


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
