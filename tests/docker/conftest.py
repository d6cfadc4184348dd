"""Two hosts with real engines for the whole session, swept after every test."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from .bed import images
from .bed.dockerd import engine
from .bed.engine import Engine
from .bed.wire import cable, forwarding

FAR, NEAR = "192.168.1.52", "192.168.1.53"  # the first is the one on Docker's page
UNMADE = pytest.StashKey[str]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test here its marker, and a deadline of its own: the bed is no part of it."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.docker)
            item.add_marker(pytest.mark.timeout(120, func_only=True))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[pytest.TestReport]:
    """Say once, where the first test failed, why the hosts could not be made."""
    report = yield
    if report.failed and (why := item.config.stash.get(UNMADE, "")):
        report.sections.append(("the hosts of tests/docker, or their images, were not made", why))
        item.config.stash[UNMADE] = ""
    return report


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Return what keeps one line for the end of the run."""
    return partial(record_property, "measured")


@pytest.fixture(scope="session")
def hosts(pytestconfig: pytest.Config) -> Iterator[tuple[Engine, Engine]]:
    """Both hosts, with the images of this checkout and Redis. Where that fails, every test here
    does, in a line: the log of a build is long, and printed once.
    """
    failure = ""
    with ExitStack() as stack:
        try:
            stack.enter_context(forwarding())
            far = stack.enter_context(engine("far", FAR))
            near = stack.enter_context(engine("near", NEAR))
            stack.enter_context(cable(far, near))
            images.load([far, near])
        except Exception as error:
            pytestconfig.stash[UNMADE] = "".join(traceback.format_exception(error))
            failure = (str(error).splitlines() or [type(error).__name__])[0]
        else:
            yield far, near
    if failure:
        pytest.fail(f"not made, the log is where the first test failed: {failure}", pytrace=False)


@pytest.fixture
def far(hosts: tuple[Engine, Engine]) -> Iterator[Engine]:
    """The host where Redis is at first, 192.168.1.52; empty."""
    yield from _swept(hosts[0])


@pytest.fixture
def near(hosts: tuple[Engine, Engine]) -> Iterator[Engine]:
    """The host where the consumer is, 192.168.1.53; empty."""
    yield from _swept(hosts[1])


def _swept(host: Engine) -> Iterator[Engine]:
    yield host
    sys.stdout.write(host.all_logs())  # pytest shows it where the test failed
    host.sweep()
