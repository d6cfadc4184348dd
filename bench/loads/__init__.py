"""The loads, in the order of a round: what wants a fresh process comes first."""

from __future__ import annotations

from bench.loads.bulk import BULK
from bench.loads.counting import COUNTING
from bench.loads.load import Load
from bench.loads.redis import CONNECTIONS, GET, SESSIONS
from bench.loads.routes import ROUTES
from bench.loads.still import FIRST, IDLE, START
from bench.loads.upgrade import UPGRADE

__all__ = ["LOADS"]

LOADS: dict[str, Load] = {
    load.key: load
    for load in (
        *(START, IDLE, FIRST, *GET, *BULK, *CONNECTIONS, *SESSIONS, *ROUTES, *COUNTING),
        UPGRADE,
    )
}
