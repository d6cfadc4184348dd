"""Wheel and source distribution, as the package index takes them."""

from __future__ import annotations

import sys
from pathlib import Path

from release.source import Source, run

__all__ = ["build"]


def build(source: Source, out: Path) -> list[Path]:
    """Build both into `out` and check them strictly. The sdist is built first, the wheel from it:
    what is missing in the one is missing in the other.
    """
    run(source, sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ".")
    version = source.version
    built = [out / f"ambassador-{version}-py3-none-any.whl", out / f"ambassador-{version}.tar.gz"]
    run(source, sys.executable, "-m", "twine", "check", "--strict", *built)
    return built
