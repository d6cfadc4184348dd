"""`./dev release`: everything that is published of a version, in dist/."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

from release import debian, image, inventory, lock, single, source, vendor, wheel

P = ParamSpec("P")
T = TypeVar("T")
KINDS = ("wheel", "deb", "single", "image", "inventory")


def main(arguments: Sequence[str]) -> int:
    """Make what `arguments` ask for and return the exit code: 0 made, 1 not, 2 asked wrongly."""
    given = _parser().parse_args(arguments)
    try:
        found = source.read()
        if given.what == ["lock"]:
            print(f"written          {lock.write(found)}")
            return 0
        unknown = sorted(set(given.what) - set(KINDS))
        if unknown:
            print(f"release: {unknown[0]} is none of {', '.join(KINDS)}, lock", file=sys.stderr)
            return 2
        make(found, given.what or KINDS, given.arch or ["amd64", "arm64"], given.base, given.out)
    except source.ReleaseError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("./dev release", description=__doc__)
    parser.add_argument("what", nargs="*", metavar="WHAT", help=f"{', '.join(KINDS)}; all; or lock")
    parser.add_argument("--out", type=Path, default=source.ROOT / "dist")
    parser.add_argument("--arch", action="append", choices=vendor.MACHINES, help="both")
    parser.add_argument("--base", default="debian:trixie-slim", help="the image's base")
    return parser


def make(
    found: source.Source, what: Sequence[str], machines: Sequence[str], base: str, out: Path
) -> list[Path]:
    """Make `what` of KINDS into an empty folder `out`, and return the files."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    made: list[Path] = []

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        both = _step("wheel, sdist", wheel.build, found, work / "python")
        if "wheel" in what:
            made += [Path(shutil.copy(file, out)) for file in both]
        for machine in machines if {"deb", "single"} & set(what) else ():
            site = _step(f"parts, {machine}", vendor.folder, found, machine, both[0], work)
            if "deb" in what:
                made.append(_step("deb", debian.build, found, machine, site, work, out))
            if "single" in what:
                made.append(_step("single file", single.build, found, machine, site, out))
        if "image" in what:
            made.append(_step("image", image.build, found, base, work, out))
        if "inventory" in what:
            made.append(_step("inventory", inventory.components, found, out))
        made.append(inventory.sums(made, out))
    print(f"made             {len(made)} files in {out}")
    return made


def _step(name: str, build: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    began = time.monotonic()
    print(f"{name:<16} ... ", end="", flush=True)
    built = build(*arguments, **named)
    print(f"{time.monotonic() - began:.0f} s")
    return built


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
