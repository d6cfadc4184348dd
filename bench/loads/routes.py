"""How the cost grows with routes: time until the last one works, and a new connection's delay."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median

from bench.bed import Bed, ask
from bench.errors import Missing
from bench.loads.load import Load, Pace
from bench.peers.peer import Peer

__all__ = ["ROUTES"]

_FIRST_PORT = 10000  # up to 14,999; outgoing connections begin above that
_ASKED = 200
# A process a route, or minutes for 5,000 listeners, say nothing that is not known beforehand.
_PEERS = ("haproxy", "nginx", "relay", "kernel")


def run(load: Load, bed: Bed, _pace: Pace) -> Mapping[str, float]:
    """Start the peer with `load.number` routes to one Redis; return both times."""
    ports = [_FIRST_PORT + number for number in range(load.number)]
    try:
        applied = bed.start_anew(ports, within=60)
        delays = [_delay(bed, ports[n * 7919 % len(ports)]) for n in range(_ASKED)]
    finally:
        bed.start_anew()  # for the loads after this one
    return {"apply_ms": applied * 1000, "first_us": median(delays) * 1e6}


def _delay(bed: Bed, port: int) -> float:
    began = time.monotonic()
    with bed.connect((bed.places.ambassador_host, port)) as connection:
        if not ask(connection):
            raise Missing(f"no answer through port {port}")
    return time.monotonic() - began


def _takes(peer: Peer) -> bool:
    return peer.name in _PEERS


ROUTES = tuple(
    Load(
        f"routes{number}",
        "routes",
        f"{number:,} route{'s' * (number > 1)}",
        ("apply_ms", "first_us"),
        run,
        (("redis-server", "redis-server"),),
        topologies=("shared",),
        takes=_takes,
        descriptors=2 * number + 500,
        most_rounds=2,
        number=number,
        weight=1 if number < 5000 else 2,
    )
    for number in (1, 100, 5000)
)
