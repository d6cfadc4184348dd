"""Write release/requirements.txt again: each dependency, its newest version and its sums.

Also those of the extras EXTRAS, so that every verb works in what a release makes.

    ./dev release lock

Only this reads what the index has by now; a release takes what is written.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from release.source import ROOT, Source, run
from release.vendor import MACHINES, PINNED, PYTHONS

__all__ = ["wanted", "write"]

EXTRAS = ("etcd", "pair")
_HEAD = "# What a release depends on: written by `./dev release lock`, used by `./dev release`.\n"


def write(source: Source) -> Path:
    """Resolve the dependencies of pyproject.toml for every machine and Python of a release."""
    found: dict[tuple[str, str], set[str]] = {}
    for machine in MACHINES.values():
        for python in PYTHONS:
            for one in _report(source, machine, python):
                key = one["metadata"]["name"], one["metadata"]["version"]
                digest = one["download_info"]["archive_info"]["hashes"]["sha256"]
                found.setdefault(key, set()).add(digest)
    lines = [_HEAD]
    for (name, version), digests in sorted(found.items(), key=lambda item: item[0][0].lower()):
        lines.append(f"{name}=={version}")
        lines += [f" \\\n    --hash=sha256:{digest}" for digest in sorted(digests)]
        lines.append("\n")
    PINNED.write_text("".join(lines))
    return PINNED


def wanted(source: Source) -> list[str]:
    """Return what pyproject.toml asks for: the program's, and that of EXTRAS."""
    extras = source.project["optional-dependencies"]
    return [*source.project["dependencies"], *(one for name in EXTRAS for one in extras[name])]


def _report(source: Source, machine: str, python: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        run(
            source,
            *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"),
            *("--only-binary=:all:", "--implementation", "cp", "--python-version", python),
            *("--platform", f"manylinux2014_{machine}", "--platform", f"manylinux_2_28_{machine}"),
            *("--target", Path(folder, "nowhere"), "--report", report),
            *wanted(source),
            cwd=ROOT,
        )
        installs: list[dict[str, Any]] = json.loads(report.read_text())["install"]
        return installs
