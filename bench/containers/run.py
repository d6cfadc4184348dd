"""`./dev bench containers`: containers by name behind real engines, into a page of docs/."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.containers.cells import CELLS
from bench.containers.engines import engine
from bench.containers.page import Kept, page
from bench.containers.stage import Stage
from bench.errors import BenchError, Missing
from bench.options import CACHE

__all__ = ["main"]

_TOP = Path(__file__).resolve().parents[2]
NAME = "containers-benchmarks.md"
KEPT = CACHE / "containers.json"
_PROGRAMS = {"docker": "dockerd", "podman": "podman"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev bench containers", description=__doc__)
    parser.add_argument(
        "engines", nargs="*", default=["docker", "podman"], metavar="ENGINE[:ROOT]",
        help="docker or podman, of this machine or of a folder that mmdebstrap has made "
        "(--include=docker.io,docker-cli,podman,iptables,nftables,iproute2 forky FOLDER)",
    )  # fmt: skip
    parser.add_argument("--only", default=",".join(CELLS), metavar="CELL[,CELL]",
                        help=f"of {', '.join(CELLS)}")  # fmt: skip
    parser.add_argument("--turns", type=int, default=0, help="how often, instead of what is usual")
    parser.add_argument("--fresh", action="store_true",
                        help="measure anew what is kept of these; else it is added to")  # fmt: skip
    parser.add_argument("--into", type=Path, default=_TOP / "docs", metavar="FOLDER",
                        help="where the page is written")  # fmt: skip
    parser.add_argument("--page", action="store_true", help="only write the page from what is kept")
    return parser


def _load() -> float:
    return os.getloadavg()[0]


def _measure(kind: str, root: str, asked: argparse.Namespace) -> None:
    with engine(kind, root) as one:
        stage = Stage(one)
        print(f"{one.name}, load {_load():.1f}", flush=True)
        for cell in asked.only.split(","):
            began, before = time.monotonic(), _load()
            rows = list(CELLS[cell](stage, asked.turns))
            kept = _kept()
            key = f"{one.name} {cell}"
            earlier = kept.get(key) if not asked.fresh else None
            loads = [before, _load(), *(earlier["loads"] if earlier else ())]
            rows = [*(earlier["rows"] if earlier else ()), *rows]
            now = f"{datetime.now(UTC):%Y-%m-%d %H:%M}"
            kept[key] = {"engine": one.name, "cell": cell, "rows": rows, "loads": loads, "at": now}
            KEPT.parent.mkdir(parents=True, exist_ok=True)
            KEPT.write_text(json.dumps(kept))
            (asked.into / NAME).write_text(page(kept))
            print(f"{key}: {time.monotonic() - began:.0f} s, load {loads[0]:.1f}", flush=True)


def _kept() -> Kept:
    """Return what was measured so far."""
    found: Kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    return found


def main(arguments: Sequence[str]) -> int:
    """Measure; return the exit code."""
    asked = _parser().parse_args(arguments)
    if unknown := [one for one in asked.only.split(",") if one not in CELLS]:
        raise BenchError(f"there is no cell {unknown[0]!r}; there are {', '.join(CELLS)}")
    asked.into.mkdir(parents=True, exist_ok=True)
    if asked.page:
        (asked.into / NAME).write_text(page(_kept()))
        return 0
    for word in asked.engines:
        kind, _, root = word.partition(":")
        if kind not in _PROGRAMS:
            raise BenchError(f"{word!r}: an engine is docker or podman, or docker:FOLDER")
        if root and not Path(root, "usr").is_dir():
            raise BenchError(f"{root} is no root of a system")
        if not root and not shutil.which(_PROGRAMS[kind]):
            print(f"{kind} is left out: {_PROGRAMS[kind]} is not installed")
            continue
        if os.geteuid():
            raise BenchError("engines need root: sudo ./dev bench containers")
        try:
            _measure(kind, root and str(Path(root).resolve()), asked)
        except Missing as error:
            raise BenchError(str(error)) from None
    print(asked.into / NAME)
    return 0
