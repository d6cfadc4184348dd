"""The command line as it is typed, and one ambassador that runs meanwhile."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.ports import free_port
from tests.program import COMMAND, Program, clean_environ, is_ready
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
