"""What is measured, in which order; what was asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.bed import TOPOLOGIES
from bench.errors import BenchError
from bench.goals import part_of
from bench.loads import LOADS
from bench.loads.load import Load
from bench.peers import PEERS, PROXIES

__all__ = ["Selection", "Step", "left_out", "plan", "select"]

_PART = "relay"  # alone, it means the goals of the relay


@dataclass(frozen=True, slots=True)
class Selection:
    """Names of topologies, loads and peers, each in the order of its table; with `places`, only
    these loads in these topologies.
    """

    topologies: tuple[str, ...]
    loads: tuple[str, ...]
    peers: tuple[str, ...]
    places: frozenset[tuple[str, str]] = field(default=frozenset())

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return self == select(())


@dataclass(frozen=True, slots=True)
class Step:
    """One load in one topology, with every peer in turn, for the `turn`-th time in a round."""

    round: int
    topology: str
    load: Load
    peers: tuple[str, ...]
    turn: int = 1

    @property
    def number(self) -> int:
        """The number of a sample: where a load has several turns in a round, ratios are taken
        within a turn.
        """
        return (self.round - 1) * self.load.turns + self.turn


def select(words: Iterable[str]) -> Selection:
    """Return what `--only` words choose: peers, topologies, loads or groups of loads.

    Where no word of a kind is given, all of that kind count; direct always does, since every
    ratio needs it. The relay alone, or in a topology, is what its goals need. Raises BenchError
    naming a word that is none of them.
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
    if peers == [_PART] and not loads:
        return _part(topologies or list(TOPOLOGIES))
    if peers and "direct" not in peers:
        peers = ["direct", *peers]
    return Selection(tuple(topologies or TOPOLOGIES), tuple(loads or LOADS), tuple(peers or PEERS))


def _part(topologies: Sequence[str]) -> Selection:
    """Return what the relay's goals need, except for those to socat: it loses SYNs, and waits."""
    goals = [goal for goal in part_of(_PART) if goal.topology in topologies]
    places = frozenset((goal.topology, goal.load) for goal in goals)
    used = {load for _, load in places}
    peers = (*(peer.name for peer in PROXIES), _PART)
    return Selection(tuple(topologies), tuple(k for k in LOADS if k in used), peers, places)


def left_out(selection: Selection) -> list[str]:
    """Return in lines what a part by goals does not measure; none where all is measured that the
    words of the selection name.
    """
    if not selection.places:
        return []
    peers = [peer.label for name, peer in PEERS.items() if name not in selection.peers]
    labels = {key: LOADS[key].label for key in selection.loads}
    lines = [f"only what the goals of {PEERS[_PART].label} need: without {', '.join(peers)}"]
    groups = dict.fromkeys(load.group for load in LOADS.values())
    absent = groups.keys() - {LOADS[key].group for key in labels}
    lines.append(f"left out of all loads: {', '.join(name for name in groups if name in absent)}")
    for topology in selection.topologies:
        gone = [
            label
            for key, label in labels.items()
            if topology in LOADS[key].topologies and (topology, key) not in selection.places
        ]
        if gone:
            lines.append(f"left out of {topology}: {'; '.join(gone)}")
    return lines


def plan(selection: Selection, rounds: int) -> list[Step]:
    """Return all steps: round by round, peers side by side in time, another one first each round.

    So a slow minute of the machine hits all peers alike, and none is always the one that follows
    the heaviest.
    """
    return [
        Step(
            number,
            topology,
            load,
            _turned(_taken(selection.peers, load), (number - 1) * load.turns + turn - 1),
            turn,
        )
        for number in range(1, rounds + 1)
        for topology in selection.topologies
        for load in (LOADS[key] for key in selection.loads)
        if topology in load.topologies and number <= load.most_rounds
        if not selection.places or (topology, load.key) in selection.places
        for turn in range(1, load.turns + 1)
    ]


def _taken(peers: Sequence[str], load: Load) -> list[str]:
    return [name for name in peers if load.takes(PEERS[name])]


def _turned(names: Sequence[str], by: int) -> tuple[str, ...]:
    by %= max(len(names), 1)
    return (*names[by:], *names[:by])
