"""The bed itself: whatever happens in it, nothing of it is left."""

from __future__ import annotations

from pathlib import Path
from tempfile import gettempdir

import pytest

from .bed.command import run
from .bed.dockerd import engine
from .bed.engine import Engine
from .bed.images import import_redis
from .bed.root import locked, redis


class TrialError(Exception):
    """What goes wrong in the test below."""


def traces(name: str) -> list[str]:
    """Return every process, mount, cgroup and file that names an engine's folder."""
    processes = run(["ps", "-eo", "args"]).stdout.splitlines()
    mounts = Path("/proc/mounts").read_text().splitlines()
    found = [line for line in processes + mounts if name in line]
    places = [*Path("/sys/fs/cgroup").glob(f"**/*{name}*"), *Path(gettempdir()).glob(f"{name}*")]
    return found + [str(path) for path in places]


def test_an_engine_with_a_running_container_is_gone_when_its_block_fails(
    hosts: tuple[Engine, Engine],
) -> None:
    with locked():
        tar = redis()
    with pytest.raises(TrialError), engine("trial", "192.168.1.54") as trial:
        import_redis(trial, tar)
        trial.docker("run", "-d", "redis", "sleep", "600")
        assert len(traces(trial.folder.name)) > 5
        raise TrialError
    assert traces(trial.folder.name) == []
