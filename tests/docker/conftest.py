"""Two hosts with real engines for the whole session, swept after every test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from .bed import images
from .bed.engine import Engine, engine
from .bed.wire import cable, forwarding

FAR, NEAR = "192.168.1.52", "192.168.1.53"  # the first is the one on Docker's page


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test here its marker, and a deadline of its own: the bed is no part of it."""
    for item in items:
        if item.path.is_relative_to(__file__.rpartition("/")[0]):
            item.add_marker(pytest.mark.docker)
            item.add_marker(pytest.mark.timeout(120, func_only=True))


@pytest.fixture(scope="session")
def hosts() -> Iterator[tuple[Engine, Engine]]:
    """Both hosts, with the images of this checkout and Redis."""
    with ExitStack() as stack:
        stack.enter_context(forwarding())
        far = stack.enter_context(engine("far", FAR))
        near = stack.enter_context(engine("near", NEAR))
        stack.enter_context(cable(far, near))
        images.load(far, images.AMBASSADOR)
        images.load(near, images.AMBASSADOR, images.AMBASSADOR_PYTHON)
        yield far, near


@pytest.fixture
def far(hosts: tuple[Engine, Engine]) -> Iterator[Engine]:
    """The host where Redis is at first, 192.168.1.52; empty."""
    yield hosts[0]
    hosts[0].sweep()


@pytest.fixture
def near(hosts: tuple[Engine, Engine]) -> Iterator[Engine]:
    """The host where the consumer is, 192.168.1.53; empty."""
    yield hosts[1]
    hosts[1].sweep()
