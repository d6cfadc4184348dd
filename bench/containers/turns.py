"""Turns: the container stops, its address goes to another server, it starts at a new one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from bench.containers.clients import Asked, Clients
from bench.containers.engines import until
from bench.containers.stage import NETWORK, Stage
from bench.errors import BenchError

__all__ = ["Turn", "judged", "recreation", "restart", "restarts"]

_PATIENCE = 40.0  # seconds until every client has had an answer again


class Turn(NamedTuple):
    """Of one turn, times in ms since the server took connections: when the `first` that waited was
    served, and the `last`. `asked`: how often clients asked; `wrong`: how often another server
    answered, for `lie` ms from the first time to the last; `refused`: what failed of
    what began after the container was down, and `cut` of what began before.
    """

    first: float
    last: float
    asked: int
    wrong: int
    refused: int
    cut: int
    lie: float = 0.0


def judged(every: Iterable[Asked], down: float, up: float) -> Turn:
    """Return what questions say of a turn: the container was `down`, and its server `up`, at these
    moments.
    """
    every = list(every)
    good = [one for one in every if one.who == "redis" and one.ended > up]
    waited = [one for one in good if one.began < up] or sorted(good, key=lambda one: one.began)[:1]
    ends = [(one.ended - max(up, one.began)) * 1000 for one in waited] or [float("inf")]
    wrong = [one for one in every if one.who and one.who != "redis"]
    failed = [one for one in every if one.wrong]
    cut = [one for one in failed if one.began <= down]
    ended = [one.ended for one in wrong]
    lie = (max(ended) - min(ended)) * 1000 if ended else 0.0
    refused = len(failed) - len(cut)
    return Turn(min(ends), max(ends), len(every), len(wrong), refused, len(cut), lie)


def restart(stage: Stage) -> tuple[float, float]:
    """Restart with another address, the old one being taken; return when the container was down,
    and its server up.
    """
    old = stage.stop()
    down = time.time()
    stage.take(old)
    up = stage.start()
    if stage.engine.address("redis", NETWORK) == old:
        raise BenchError("the container has the address it had")
    return down, up


def recreation(stage: Stage) -> tuple[float, float]:
    """Remove the container and make a new one of its name."""
    stage.engine.ask("DELETE", "/containers/redis?force=1")
    down = time.time()
    stage.create("redis")
    return down, stage.start()


def restarts(
    stage: Stage,
    clients: Clients,
    number: int,
    act: Callable[[Stage], tuple[float, float]] = restart,
    *,
    until_when: float = float("inf"),
) -> Sequence[Turn]:
    """Do so many turns, or fewer until that moment (monotonic), under `clients`."""
    found: list[Turn] = []
    settled = 0.0
    while len(found) < number and time.monotonic() < until_when:
        since = settled
        until(lambda: clients.all_since(since), "answers", _PATIENCE)  # noqa: B023
        clients.taken()
        time.sleep(random.uniform(0.05, 0.2))  # whatever is periodic is met at any moment
        down, up = act(stage)
        settled = time.time()
        until(lambda: clients.all_since(settled), "answers again", _PATIENCE)  # noqa: B023
        found.append(judged(clients.taken(), down, up))
    return found
