"""Nothing that an operator, a file, a name server or a client does keeps the session of another
waiting: how long 1,000 questions a second wait meanwhile.

The goal is 20 ms on an idle machine, with 3,000 routes and everything in one process, where it is
hardest; then while workers carry.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator

import pytest

from tests.program import is_ready
from tests.scenario.gap import asked, clients, files, processes
from tests.scenario.gap.scene import Scene

pytestmark = [pytest.mark.root, pytest.mark.alone, pytest.mark.timeout(180)]

# Seconds. The goal is for an idle machine, and the best of a few attempts counts. In two runs of
# the suite on one, seven situations missed it once, by 1 to 29 ms, and not the same ones twice;
# so the suite only finds the stalls of the kind that were there: up to 540 ms. A machine on which
# the program takes three times as long to start met 101 to 175 ms in six of them.
# LONGEST_GAP=0.02 asks for the goal.
LONGEST = float(os.environ.get("LONGEST_GAP", "0.250"))
ATTEMPTS = 5

ACTS: tuple[Callable[[Scene], None], ...] = (
    asked.looks, asked.changes, asked.all_routes, asked.wrong_words, asked.wrong_shapes,
    asked.no_http, asked.monitors, asked.listeners_to_events,
    files.reloads, files.all_replaced, files.all_come_and_go, files.in_pieces, files.wrong_file,
    files.hosts_file, files.names,
    clients.come_and_go, clients.leave_by_reset, clients.endpoint_falls, clients.cut,
    clients.moved, clients.removed, clients.held_and_released, clients.held_and_gone,
    clients.held_too_long, clients.nobody_there, clients.flood, clients.datagrams,
    processes.check, processes.upgrade,
)  # fmt: skip


# While workers carry the session.
WITH_WORKERS: tuple[Callable[[Scene], None], ...] = (
    asked.changes, asked.all_routes, files.all_replaced, clients.come_and_go,
)  # fmt: skip


@pytest.fixture(scope="module")
def scene(request, tmp_path_factory) -> Iterator[Scene]:
    scene = Scene(tmp_path_factory.mktemp("gap"), workers=request.param)
    yield scene
    scene.close()


@pytest.mark.parametrize(
    ("scene", "act"),
    [(0, act) for act in ACTS] + [(2, act) for act in WITH_WORKERS],
    indirect=["scene"],
    ids=lambda it: it.__name__ if callable(it) else f"{it} workers",
)
def test_the_longest_wait_meanwhile(scene, act, record_property):
    scene.met.clear()
    while not scene.met or (scene.met[-1].longest > LONGEST and len(scene.met) < ATTEMPTS):
        with scene.left_clean():
            act(scene)
    assert is_ready(scene.admin)
    record_property(f"met, {act.__name__}", json.dumps([str(one) for one in scene.met]))
    assert min(one.longest for one in scene.met) <= LONGEST, scene.met
