"""What can be asked of the bench."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import ROOT
from bench.peers import PEERS
from bench.plan import Selection, select

__all__ = ["CACHE", "Options", "parse"]

# Where an interrupted run is kept; tests have one of their own.
CACHE = Path(os.environ.get("AMBASSADOR_BENCH_CACHE", ROOT / ".cache" / "bench"))
_SECONDS = 1.5
_SECONDS_OF_A_PART = 0.75  # GET takes twice that, half a second is half a second
_EPILOG = """\
examples:
  ./dev bench                             everything, into docs/
  ./dev bench --only get,relay,haproxy    GET with direct, HAProxy and our relay
  ./dev bench --only relay                what the relay's goals need, in five minutes
  ./dev bench --only shared --rounds 1    one topology, once
  ./dev bench --compare                   the newest run beside the committed one
  ./dev bench run haproxy                 one peer in the foreground, to try by hand

A run that was interrupted is gone on with by the same command.
"""


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, read and checked."""

    verb: str  # measure, run, document, compare
    selection: Selection
    rounds: int
    seconds: float
    into: Path
    fresh: bool
    peer: str = ""
    listen: int = 7000
    endpoint: str = "127.0.0.1:6379"
    old: str = ""


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line. Raises BenchError; prints help and usage errors itself."""
    parser = argparse.ArgumentParser(
        "./dev bench",
        description="Measure Ambassador beside other go-betweens and write docs/benchmarks.md.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("verb", nargs="?", choices=("run", "document"), help="see the examples; document: only "
        "write it again from the figures")  # fmt: skip
    add("peer", nargs="?", choices=[name for name in PEERS if name != "direct"])
    add("--only", default="", metavar="PART,...", help="topologies, loads, peers (direct is added)")
    add("--rounds", type=_rounds, default=3, metavar="N", help="default 3")
    add("--seconds", type=_seconds, metavar="S", help="a measurement; default 1.5, "
        f"{_SECONDS_OF_A_PART:g} of --only relay")  # fmt: skip
    add("--fresh", action="store_true", help="do not go on with an interrupted run")
    add("--into", type=Path, metavar="FOLDER",
        help="default docs for everything, .cache/bench/part for a part")  # fmt: skip
    add("--compare", nargs="?", const="HEAD", metavar="OLD",
        help="no run: the newest figures beside those of a file or a git revision")  # fmt: skip
    add("--listen", type=int, default=7000, metavar="PORT", help="of run; default 7000")
    add("--endpoint", default="127.0.0.1:6379", metavar="HOST:PORT",
        help="of run; default 127.0.0.1:6379")  # fmt: skip
    given = parser.parse_args(arguments)
    if (given.verb == "run") != (given.peer is not None):
        parser.error("run needs a PEER, and only run takes one")
    if given.verb and given.compare:
        parser.error(f"{given.verb} and --compare are two things")
    selection = select(filter(None, given.only.split(",")))
    default = ROOT / "docs" if selection.whole else CACHE / "part"
    return Options(
        verb=given.verb or ("compare" if given.compare else "measure"),
        selection=selection,
        rounds=given.rounds,
        seconds=given.seconds or (_SECONDS_OF_A_PART if selection.places else _SECONDS),
        into=(given.into or default).absolute(),
        fresh=given.fresh,
        peer=given.peer or "",
        listen=given.listen,
        endpoint=given.endpoint,
        old=given.compare or "",
    )


def _rounds(text: str) -> int:
    return int(_between(text, 1, 99))


def _seconds(text: str) -> float:
    return _between(text, 0.05, 60)


def _between(text: str, least: float, most: float) -> float:
    value = float(text)
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text} is not from {least:g} to {most:g}")
    return value
