"""A release of this checkout, made once for the tests that look at it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from release import debian, inventory, single, source, vendor, wheel
from tests.docker.bed import root

# What a small Debian host has; curl and the like are not needed.
_HOST = """
apt-get update -q
apt-get install -qy --no-install-recommends python3 systemd systemd-sysv dbus adduser \
  init-system-helpers procps
"""


@dataclass(frozen=True)
class Made:
    """What was made: two packages, of a version before and of this one, and the rest."""

    source: source.Source
    site: Path
    wheels: tuple[Path, Path]
    before: Path
    package: Path
    single: Path
    inventory: Path


def make(folder: Path) -> Made:
    """Make a release for this machine into `folder`."""
    found = source.read()
    sdist_and_wheel = wheel.build(found, folder)
    site = vendor.folder(found, MACHINE, sdist_and_wheel[0], folder)
    old = replace(found, version="0.0.9")
    return Made(
        found,
        site,
        (sdist_and_wheel[0], sdist_and_wheel[1]),
        debian.build(old, MACHINE, site, folder, folder),
        debian.build(found, MACHINE, site, folder, folder),
        single.build(found, MACHINE, site, folder),
        inventory.components(found, folder),
    )


MACHINE = "amd64"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="session")
def host_files() -> Path:
    """The files of a Debian host, as a tar file that is kept."""
    with root.locked():
        return root.host(_HOST)
