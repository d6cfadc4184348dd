"""What is measured, in which order; what was asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.bed import TOPOLOGIES
from bench.errors import BenchError
from bench.loads import LOADS
from bench.loads.load import Load
from bench.peers import PEERS

__all__ = ["Selection", "Step", "plan", "select"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Names of topologies, loads and peers, each in the order of its table."""

    topologies: tuple[str, ...]
    loads: tuple[str, ...]
    peers: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return self == select(())


@dataclass(frozen=True, slots=True)
class Step:
    """One load in one topology in one round, with every peer in turn."""

    round: int
    topology: str
    load: Load
    peers: tuple[str, ...]


def select(words: Iterable[str]) -> Selection:
    """Return what `--only` words choose: peers, topologies, loads or groups of loads.

    Where no word of a kind is given, all of that kind count; direct always does, since every
    ratio needs it. Raises BenchError naming a word that is none of them.
    """
    wanted = list(words)
    groups = list(dict.fromkeys(load.group for load in LOADS.values()))
    known = {*TOPOLOGIES, *LOADS, *groups, *PEERS}
    for word in wanted:
        if word not in known:
            raise BenchError(
                f"--only {word}: there is no such part; there are the topologies "
                f"{', '.join(TOPOLOGIES)}; the loads {', '.join(groups)} (or one of them: "
                f"{', '.join(key for key in LOADS if key not in groups)}); "
                f"the peers {', '.join(PEERS)}"
            )
    topologies = [name for name in TOPOLOGIES if name in wanted]
    loads = [key for key, load in LOADS.items() if key in wanted or load.group in wanted]
    peers = [name for name in PEERS if name in wanted]
    if peers and "direct" not in peers:
        peers = ["direct", *peers]
    return Selection(tuple(topologies or TOPOLOGIES), tuple(loads or LOADS), tuple(peers or PEERS))


def plan(selection: Selection, rounds: int) -> list[Step]:
    """Return all steps: round by round, peers side by side in time, another one first each round.

    So a slow minute of the machine hits all peers alike, and none is always the one that follows
    the heaviest.
    """
    return [
        Step(number, topology, load, _turned(_taken(selection.peers, load), number - 1))
        for number in range(1, rounds + 1)
        for topology in selection.topologies
        for load in (LOADS[key] for key in selection.loads)
        if topology in load.topologies and number <= load.most_rounds
    ]


def _taken(peers: Sequence[str], load: Load) -> list[str]:
    return [name for name in peers if load.takes(PEERS[name])]


def _turned(names: Sequence[str], by: int) -> tuple[str, ...]:
    by %= max(len(names), 1)
    return (*names[by:], *names[:by])
