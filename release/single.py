"""One executable file, for any Linux with Python 3.11 to 3.14 (shiv)."""

from __future__ import annotations

import sys
from pathlib import Path

from release.source import Source, run
from release.vendor import MACHINES

__all__ = ["build"]


def build(source: Source, machine: str, site: Path, out: Path) -> Path:
    """Build the file from `site`. A zip cannot hold libraries that are loaded, so it unpacks
    itself into $SHIV_ROOT (~/.shiv) when it is started first.
    """
    place = out / f"ambassador-{source.version}-{MACHINES[machine]}.pyz"
    run(
        source,
        *(sys.executable, "-m", "shiv", "--reproducible", "--compressed"),
        *("--python", "/usr/bin/env python3", "--console-script", "ambassador"),
        *("--site-packages", site, "--output-file", place),
    )
    return place
