"""Samples to figures: the spread over rounds, and ratios within each round. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.loads import LOADS
from bench.metrics import METRICS
from bench.peers import OTHERS, PROXIES
from bench.peers.peer import Peer
from bench.samples import Sample

__all__ = ["Figures", "Spread", "spread"]

_Place = tuple[str, str, str]  # topology, load, metric


@dataclass(frozen=True, slots=True)
class Spread:
    """Minimum, median and maximum over the rounds of a run."""

    low: float
    middle: float
    high: float


def spread(values: Iterable[float]) -> Spread | None:
    """Return the spread of `values`, None when there are none."""
    found = sorted(values)
    return Spread(found[0], median(found), found[-1]) if found else None


@dataclass(slots=True)
class Figures:
    """The figures of a run, by topology, load, metric and peer."""

    samples: list[Sample]
    _values: dict[_Place, dict[str, dict[int, float]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for sample in self.samples:
            for metric, value in sample.values.items():
                place = (sample.topology, sample.load, metric)
                peers = self._values.setdefault(place, {})
                peers.setdefault(sample.peer, {})[sample.round] = value

    def peers(self, topology: str, load: str) -> list[str]:
        """Return the peers with at least one sample, measured or missing."""
        found = [s.peer for s in self.samples if (s.topology, s.load) == (topology, load)]
        return list(dict.fromkeys(found))

    def value(self, topology: str, load: str, metric: str, peer: str) -> Spread | None:
        """Return the spread of a metric over the rounds."""
        return spread(self._rounds((topology, load, metric), peer).values())

    def best(
        self, topology: str, load: str, metric: str, among: Sequence[Peer] = OTHERS
    ) -> str | None:
        """Return the peer `among` some, none of ours, with the best median.

        By the median over the run, not in each round: the best of four noisy figures would be
        better than any of the four.
        """
        place = (topology, load, metric)
        medians = {
            peer.name: median(rounds.values())
            for peer in among
            if (rounds := self._rounds(place, peer.name))
        }
        if not medians:
            return None
        choose = max if METRICS[metric].more else min
        return choose(medians, key=lambda name: medians[name])

    def other(self, topology: str, load: str, metric: str, to: str) -> str | None:
        """Return the peer that `to` means, as in Metric.ratios; None when there is none."""
        if to == "fastest":
            return self.best(topology, load, LOADS[load].metrics[0])
        if to == "proxy":
            return self.best(topology, load, metric, PROXIES)
        return self.best(topology, load, metric) if to == "best" else to

    def ratio(self, topology: str, load: str, metric: str, peer: str, to: str) -> Spread | None:
        """Return the spread of the ratios within each round; `to` as in Metric.ratios."""
        place = (topology, load, metric)
        other = self.other(topology, load, metric, to)
        mine, its = self._rounds(place, peer), self._rounds(place, other or "")
        return spread(mine[number] / its[number] for number in mine if its.get(number))

    def reason(self, topology: str, load: str, peer: str) -> str:
        """Return why `peer` has no figures of a load: the last reason, or nothing."""
        place = (topology, load, peer)
        found = [s.missing for s in self.samples if (s.topology, s.load, s.peer) == place]
        return next(filter(None, reversed(found)), "")

    def missing(self) -> dict[str, list[str]]:
        """Return reasons for what could not be measured, each with the places it concerns."""
        found: dict[str, list[str]] = {}
        for sample in self.samples:
            if sample.missing:
                places = found.setdefault(f"{sample.peer}: {sample.missing}", [])
                place = f"{sample.topology} {sample.load}"
                if place not in places:
                    places.append(place)
        return found

    def _rounds(self, place: _Place, peer: str) -> dict[int, float]:
        return self._values.get(place, {}).get(peer, {})
