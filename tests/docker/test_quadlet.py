"""The Quadlet of deploy/podman, read by Podman's own generator."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .bed import root
from .bed.command import run
from .bed.images import CHECKOUT

FILES = CHECKOUT / "deploy" / "podman"
UNITS = "etc/containers/systemd"

Quadlet = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def quadlet(tmp_path_factory: pytest.TempPathFactory) -> Quadlet:
    """Return what shows the units that are made of the files, with a line replaced by another."""
    with root.locked():
        tar = root.quadlet()
    place = tmp_path_factory.mktemp("root")
    run(["tar", "-xf", str(tar), "-C", str(place)], within=120)
    (place / UNITS).mkdir(parents=True)

    def dry_run(old: str = "", new: str = "") -> subprocess.CompletedProcess[str]:
        for path in FILES.iterdir():
            shutil.copy(path, place / UNITS)
            copy = Path(place / UNITS / path.name)
            copy.write_text(copy.read_text().replace(old, new))
        return run(["chroot", str(place), "/usr/libexec/podman/quadlet", "-dryrun"], ok=None)

    return dry_run


def test_podman_makes_a_unit_of_it_that_runs_what_the_file_says(quadlet: Quadlet) -> None:
    done = quadlet()
    assert done.returncode == 0, done.stderr
    _, _, unit = done.stdout.partition("---ambassador.service---")
    assert "Requires=shared-network.service" in unit
    (start,) = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    for words in (
        "--network systemd-shared",
        "-v %t/podman:/run/podman",
        "--group-add=0",
        "--publish 6379:6379",
        "--env REDIS_PORT_6379_TCP=podman://redis",
    ):
        assert words in start
    assert start.endswith(" localhost/ambassador")
    assert "podman network create --ignore systemd-shared" in done.stdout


def test_a_wrong_key_would_be_found(quadlet: Quadlet) -> None:
    done = quadlet("PublishPort=", "PublishPorts=")
    assert done.returncode != 0
    assert "PublishPorts" in done.stderr
