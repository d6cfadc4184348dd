"""What the program depends on, in one folder, for one machine and several Pythons."""

from __future__ import annotations

import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from release.source import ROOT, ReleaseError, Source, run

__all__ = ["MACHINES", "PINNED", "PYTHONS", "folder"]

PINNED = ROOT / "release" / "requirements.txt"
# Debian 12, Ubuntu 24.04, Debian 13 and Ubuntu 25.10, what follows.
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}  # Debian's name, the name of wheels


def folder(source: Source, machine: str, wheel: Path, work: Path) -> Path:
    """Return a folder from which any of PYTHONS can import the program on `machine`.

    Wheels with machine code lie side by side: the name of each library says for which Python it
    is (PEP 3149).
    """
    cache, target = work / f"wheels-{machine}", work / f"site-{machine}"
    for python in PYTHONS:
        run(source, *_download(machine, python), "--dest", cache)
    shutil.rmtree(target, ignore_errors=True)
    for one in [*sorted(cache.glob("*.whl")), wheel]:
        with zipfile.ZipFile(one) as archive:
            for name in archive.namelist():
                if ".data/" not in name:
                    archive.extract(name, target)
    for library in sorted(target.rglob("*.so")):
        _strip(source, machine, library)  # uvloop brings 14 MB of debugging symbols
        library.chmod(0o644)
    return target


def _download(machine: str, python: str) -> Iterator[str | Path]:
    yield from (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps")
    yield from ("--only-binary=:all:", "--implementation", "cp", "--python-version", python)
    for old in ("manylinux2014", "manylinux_2_17", "manylinux_2_28"):  # Debian 12 has glibc 2.36
        yield from ("--platform", f"{old}_{MACHINES[machine]}")
    yield from ("--require-hashes", "--requirement", PINNED)


def _strip(source: Source, machine: str, library: Path) -> None:
    own, cross = "strip", f"{MACHINES[machine]}-linux-gnu-strip"
    program = cross if shutil.which(cross) else own
    try:
        run(source, program, "--strip-unneeded", library)
    except ReleaseError as error:
        package = f"binutils-{MACHINES[machine]}-linux-gnu".replace("_", "-")
        raise ReleaseError(f"{error}\nto strip for {machine}: apt-get install {package}") from error
