"""What a release says of itself, each from one place."""

from __future__ import annotations

import email.utils
import os
import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "ReleaseError", "Source", "environ", "read", "run"]

ROOT = Path(__file__).resolve().parents[1]
_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)


class ReleaseError(Exception):
    """A release cannot be made; the text says why, and what to type."""


@dataclass(frozen=True)
class Source:
    """The checkout a release is made from."""

    version: str  # of src/ambassador/__init__.py
    epoch: int  # seconds since 1970: when its commit was made
    project: dict[str, Any]  # of pyproject.toml

    @property
    def date(self) -> str:
        """The date as Debian's changelog has it (deb-changelog(5))."""
        return email.utils.formatdate(self.epoch)


def read() -> Source:
    """Return what is released. Raises ReleaseError where that cannot be known."""
    text = (ROOT / "src/ambassador/__init__.py").read_text()
    found = _VERSION.search(text)
    if found is None:
        raise ReleaseError('src/ambassador/__init__.py has no line like: __version__ = "0.2.0"')
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    return Source(found.group(1), _epoch(), project)


def _epoch() -> int:
    # https://reproducible-builds.org/specs/source-date-epoch/
    if said := os.environ.get("SOURCE_DATE_EPOCH"):
        if not said.isdecimal():
            raise ReleaseError(f"SOURCE_DATE_EPOCH={said} is no number of seconds since 1970")
        return int(said)
    command = ("git", "-C", str(ROOT), "log", "-1", "--format=%ct")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(
            f"the date of the release is that of its commit, and git says: {done.stderr.strip()}. "
            "Outside of a clone say it: SOURCE_DATE_EPOCH=1798761600 ./dev release"
        )
    return int(done.stdout)


def environ(source: Source, **more: str) -> dict[str, str]:
    """Return the environment of a program that helps: its clock is the commit's."""
    fixed = {"SOURCE_DATE_EPOCH": str(source.epoch), "TZ": "UTC", "LC_ALL": "C.UTF-8"}
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, **fixed, **more}


def run(source: Source, *command: str | Path, cwd: Path = ROOT, **more: str) -> str:
    """Run a program and return what it printed. Raises ReleaseError with its last lines."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env=environ(source, **more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise ReleaseError(f"{words[0]} is not there: {error.strerror}") from error
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise ReleaseError(f"{' '.join(words)}: exit code {done.returncode}\n{last}")
    return done.stdout
