"""The loads, in the order of a round: what wants a fresh process comes first."""

from __future__ import annotations

from bench.loads.bulk import BULK
from bench.loads.counting import COUNTING
from bench.loads.load import Load
from bench.loads.redis import CONNECTIONS, GET, SESSIONS
from bench.loads.routes import ROUTES
from bench.loads.still import IDLE, START

__all__ = ["LOADS"]

LOADS: dict[str, Load] = {
    load.key: load
    for load in (START, IDLE, *GET, *BULK, *CONNECTIONS, *SESSIONS, *ROUTES, *COUNTING)
}
