"""What every test may count on: markers that say what is missing, and nothing left running."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.relay.peers import Peers

if TYPE_CHECKING:
    from tests.identities import Identities

STRICT = os.environ.get("CI") == "true"  # nothing may be skipped

# Properties say what holds, not how fast; each test has its timeout.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# A shell starts what it puts into the background with SIGINT ignored, and whom a test starts would
# ignore it, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@cache
def missing_for_root() -> str:
    """Return why tests marked `root` cannot run here, or an empty string."""
    if os.geteuid() != 0:
        return "needs root: sudo ./dev test"
    probe = subprocess.run(
        ["unshare", "--net", "--mount", "true"], check=False, capture_output=True
    )
    return "needs the right to make network namespaces" if probe.returncode else ""


@cache
def missing_for_docker() -> str:
    """Return why tests marked `docker` cannot run here, or an empty string."""
    absent = [name for name in ("dockerd", "docker", "debootstrap") if not shutil.which(name)]
    return missing_for_root() or (f"needs {', '.join(absent)}: ./dev test" if absent else "")


def pytest_configure() -> None:
    """Let the tests open 1,000 connections with both ends here: a login allows 1,024 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < 20_000:  # RLIM_INFINITY is -1
        wanted = 20_000 if hard < 0 else min(hard, 20_000)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Deal out the tests in our way where they run side by side."""
    from tests.side_by_side import ByFile  # noqa: PLC0415  (a plain run needs no pytest-xdist)

    return ByFile(config, log)


@pytest.hookimpl(trylast=True)  # a folder may mark its own tests first
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what cannot run here, each with its reason."""
    if hasattr(config, "workerinput"):  # one of several processes
        from tests.side_by_side import longest_first  # noqa: PLC0415

        items[:] = longest_first(items)
    for item in items:
        for name, missing in (("root", missing_for_root), ("docker", missing_for_docker)):
            if item.get_closest_marker(name) and missing():
                item.add_marker(pytest.mark.skip(reason=missing()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Turn a skip into a failure where nothing may be skipped."""
    report = yield
    return _strict(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """Do the same for a file that skips as a whole."""
    report = yield
    return _strict(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have measured."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "measured":
                terminalreporter.write_line(f"measured: {value}")


def _strict(report):
    if STRICT and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but CI=true allows no skip: {report.longrepr}"
    return report


def children(pid: int) -> list[str]:
    """Return the command lines of the living children of process `pid`."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            for child in (task / "children").read_text().split():
                command = Path(f"/proc/{child}/cmdline").read_bytes()
                found.append(f"{child}: {command.replace(bytes(1), b' ').decode()}")
    return found


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_running() -> Iterator[None]:
    before = set(children(os.getpid()))
    yield
    left = set(children(os.getpid())) - before
    assert not left, f"started by a test and still running: {sorted(left)}"


@pytest.fixture
def identities(tmp_path: Path) -> Identities:
    """Identities of one authority, in a folder of the test."""
    from tests.identities import Identities  # noqa: PLC0415 (brings cryptography)

    return Identities(tmp_path)


@pytest.fixture
def peers() -> Iterator[Peers]:
    """Clients and endpoints of a test; all are closed."""
    peers = Peers()
    yield peers
    peers.close()
