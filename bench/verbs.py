"""What the command line does: measure, write the document, compare, run one peer."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from bench import machine
from bench.charts import charts
from bench.compare import comparison
from bench.document import NAME, page
from bench.errors import BenchError, Missing
from bench.options import CACHE, Options
from bench.peers import PEERS
from bench.peers.peer import Forward, Limits
from bench.plan import left_out, plan
from bench.runner import Runner
from bench.samples import Run, load_run, save_run
from bench.summary import summary

__all__ = ["compare", "document", "measure", "run_peer"]

LATEST = CACHE / "latest.json"
_REMARKS = Path(__file__).parent / "remarks.md"  # what is to be said where a figure is not reached


def measure(options: Options, level: str, lacks: str) -> int:
    """Take the measurements, then write the document, the charts and the figures."""
    descriptors = machine.raise_descriptors()
    limits = Limits(descriptors, machine.cores())
    steps = plan(options.selection, options.rounds)
    if level == "none":  # `lacks` says so
        steps = [step for step in steps if step.topology == "shared"]
    run = _begin(options, _remarks(lacks, limits, options))
    print(
        f"{len(steps)} steps; figures into {options.into / NAME}.md, .json and charts", flush=True
    )
    with tempfile.TemporaryDirectory(dir="/run" if level != "none" else None) as folder:
        Runner(
            run,
            Path(folder),
            limits,
            seconds=options.seconds,
            isolated=level != "none",
            save=lambda: save_run(run, LATEST),
            show=lambda text: print(text, end="", flush=True),
        ).do(steps)
    run.ended = _now()
    save_run(run, LATEST)
    _write(run, options.into)
    print(summary(run))
    print(f"{run.seconds / 60:.1f} min; {options.into / NAME}.md")
    return 0


def _begin(options: Options, remarks: list[str]) -> Run:
    """Return the run to go on with, or a new one."""
    asked: Mapping[str, Any] = {
        "topologies": list(options.selection.topologies),
        "loads": list(options.selection.loads),
        "peers": list(options.selection.peers),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "places": sorted(map(list, options.selection.places)),
        "sources": machine.source_mark(),
    }
    described = machine.describe()
    if not options.fresh and LATEST.exists():
        try:
            kept = load_run(LATEST.read_text(), str(LATEST))
        except BenchError as error:
            print(f"bench: {error}; begun anew")
        else:
            if not kept.ended and kept.asked == asked and kept.machine == described:
                print(
                    f"goes on with the run of {kept.began}: {len(kept.samples)} are measured",
                    flush=True,
                )
                return kept
    run = Run(asked, described, machine.versions(), remarks, began=_now())
    save_run(run, LATEST)
    return run


def _remarks(lacks: str, limits: Limits, options: Options) -> list[str]:
    """Return, and print, one line for each thing that the machine lacks."""
    found = [lacks] if lacks else []
    if limits.workers == 1:
        found.append("one core only: client, peer and service share it, ratios say little")
    if limits.descriptors < 18500:
        found.append(f"{limits.descriptors} open files a process: the largest loads are left out")
    for name in options.selection.peers:
        try:
            PEERS[name].find()
        except Missing as reason:
            found.append(f"without {PEERS[name].label}: {reason}")
    found += left_out(options.selection)
    for line in found:
        print(f"bench: {line}", flush=True)
    return found


def document(options: Options) -> int:
    """Write the document again from the figures beside it."""
    path = options.into / f"{NAME}.json"
    _write(load_run(_read(path), str(path)), options.into)
    return 0


def _write(run: Run, into: Path) -> None:
    remarks = _REMARKS.read_text() if _REMARKS.exists() else ""
    pictures = charts(run)
    folder = into / NAME
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    for name, text in pictures.items():
        (folder / f"{name}.svg").write_text(text)
    (into / f"{NAME}.md").write_text(page(run, list(pictures), remarks))
    save_run(run, into / f"{NAME}.json")


def compare(options: Options) -> int:
    """Print the newest figures beside older ones, from a file or a git revision."""
    new = load_run(_read(LATEST), str(LATEST))
    old = Path(options.old)
    text = _read(old) if old.is_file() else machine.git("show", f"{old}:docs/{NAME}.json")
    if text is None:
        raise BenchError(f"--compare {old}: neither a file nor a revision with figures")
    print(comparison(load_run(text, options.old), new))
    return 0


def run_peer(options: Options) -> NoReturn:
    """Become one peer, listening on loopback, and show what it is started with."""
    peer = PEERS[options.peer]
    host, _, port = options.endpoint.rpartition(":")
    if not host or not port.isdigit():
        raise BenchError(f"--endpoint {options.endpoint}: expected HOST:PORT")
    try:
        program = peer.find()
    except Missing as reason:
        raise SystemExit(f"bench: {reason}") from None
    folder = CACHE / "run" / peer.name
    folder.mkdir(parents=True, exist_ok=True)
    forwards = [Forward(("127.0.0.1", options.listen), (host, int(port)))]
    limits = Limits(machine.raise_descriptors(), machine.cores())
    for name, text in peer.files(forwards, folder, limits).items():
        (folder / name).write_text(text)
        print(f"# {folder / name}\n{text}")
    (command,) = peer.commands(program, forwards, folder, limits)
    print(f"{' '.join(command)}\n# 127.0.0.1:{options.listen} -> {options.endpoint}", flush=True)
    os.execv(command[0], command)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from None


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
