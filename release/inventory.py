"""What is in a release, and the sum of each of its files."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from release.source import ROOT, Source, run
from release.vendor import PINNED

__all__ = ["components", "sums"]


def components(source: Source, out: Path) -> Path:
    """Write what a release is made of, in CycloneDX 1.6 (https://cyclonedx.org)."""
    place = out / f"ambassador-{source.version}.cdx.json"
    run(
        source,
        *(sys.executable, "-m", "cyclonedx_py", "requirements", PINNED),
        *("--pyproject", ROOT / "pyproject.toml", "--mc-type", "application"),
        *("--spec-version", "1.6", "--output-reproducible", "--output-format", "JSON"),
        *("--output-file", place),
    )
    return place


def sums(files: Sequence[Path], out: Path) -> Path:
    """Write the sums that `sha256sum --check SHA256SUMS` compares."""
    place = out / "SHA256SUMS"
    lines = []
    for file in sorted(files):
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        lines.append(f"{digest}  {file.name}\n")
    place.write_text("".join(lines))
    return place
