"""A run with figures that are easy to reckon with."""

from __future__ import annotations

from bench.samples import Run, Sample

MACHINE = {
    "processor": "Abacus",
    "cores": 2,
    "memory_gib": 4,
    "virtual": "",
    "kernel": "Linux 6.1",
    "system": "Debian",
    "python": "3.13.1",
    "descriptors": 20000,
}
ASKED = {"rounds": 3, "seconds": 1.5}


def sample(peer, round_, missing="", load="get50", topology="shared", **values):
    return Sample(round_, topology, load, peer, values, missing)


def run(*samples: Sample, **fields) -> Run:
    made = Run(ASKED, MACHINE, samples=list(samples), began="2026-01-01 10:00 UTC", seconds=120)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def rates(**by_peer) -> list[Sample]:
    """Samples of GET: relay=(50, 60) are its rates of the first and the second round."""
    return [
        sample(peer, number, rate=rate, p99_ms=1000 / rate)
        for peer, values in by_peer.items()
        for number, rate in enumerate(values, 1)
    ]
