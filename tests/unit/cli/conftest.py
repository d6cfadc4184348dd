"""The command line as it is typed, and one ambassador that runs meanwhile."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from ambassador.admin import client
from ambassador.core.commands import Cut, Reset
from tests.ports import free_port
from tests.program import COMMAND, Program, clean_environ, is_ready
from tests.unit.cli.operated import Ended, Operated
from tests.wait import until

Done = subprocess.CompletedProcess


@pytest.fixture
def ambassador() -> Callable[..., Done[str]]:
    """Run `ambassador ARGUMENTS` with the variables given and return how it ended."""

    def run(*arguments: str, **environ: str) -> Done[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=20,
            env=clean_environ(**environ),
        )

    return run


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Serve two routes; `admin` is where it is asked, `ports` are where it listens."""
    admin = tmp_path_factory.mktemp("running") / "admin.sock"
    ports = (free_port(), free_port())
    arguments = (
        f"REDIS_PORT_{ports[0]}_TCP=tcp://127.0.0.1:1,tcp://db2:2?backup",
        f"DNS_PORT_{ports[1]}_UDP=udp://127.0.0.1:53",
    )
    with Program(*arguments, AMBASSADOR_ADMIN=str(admin), AMBASSADOR_GRACE="0") as program:
        program.admin, program.ports = admin, ports
        until(lambda: is_ready(admin), 15)
        yield program
        assert program.stop() == 0


@pytest.fixture(scope="package")
def _operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    operated = Operated(tmp_path_factory.mktemp("operated"))
    yield operated
    operated.close()


@pytest.fixture
def operated(_operated: Operated) -> Iterator[Operated]:
    """Give one that is as it was at its start, and see to it that it is again."""
    yield _operated
    assert client.ask(_operated.admin, Reset()).message
    client.ask(_operated.admin, Cut("web"))


@pytest.fixture
def verb(operated: Operated, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a verb against `operated`."""
    return partial(operated, capsys=capsys)
