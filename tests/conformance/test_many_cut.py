"""A thousand sessions are cut in a moment, and both sides of each are told."""

import sys
import time

import pytest

from ambassador.core.commands import Cut, Maint, Move
from ambassador.model import Existing, Fate
from tests.conformance.ambassador import route
from tests.conformance.told import Told
from tests.kernel.peers import open_flows

MANY = 1000
# Seconds. On two cores without other load it takes 0.06 to 0.10 and 0.15 of the processor; the
# rest is for a machine that is busy. Told one after the other with pauses it would take longer.
SOON, DEAR = 1.0, 0.6
CAUSES = {
    "cut": Cut("redis"),
    "moved": Move("redis", ("tcp://10.77.0.5:7000",)),
    "maint": Maint("redis"),
}


@pytest.mark.alone
@pytest.mark.parametrize("cause", CAUSES)
def test_a_thousand_sessions_are_cut_in_a_moment(scene, ambassador, cause, record_property):
    old = scene.endpoint("old")
    scene.endpoint("new")
    ambassador.set(route(6379, "10.77.0.4:7000", existing=Existing(Fate.CUT)))
    ambassador.execute(Cut("redis"))  # what the first command imports is not a cut's
    pairs = open_flows(scene.network, old, 6379, MANY)
    for sock in (sock for pair in pairs for sock in pair):
        scene.keep(sock)
    told = Told(pairs)
    began, own = time.monotonic(), time.process_time()
    ambassador.execute(CAUSES[cause])
    first, last = told.times()
    took, own = last - began, time.process_time() - own
    record_property("seconds until the last was told", took)
    each = f"the first told after {(first - began) * 1000:.0f} ms, the last after {took * 1000:.0f}"
    figures = f"{ambassador.plane}, {cause}, {MANY} sessions: {each}; {own * 1000:.0f} ms CPU"
    sys.stdout.write(f"{figures}\n")
    assert took < SOON, figures
    assert own < DEAR, figures
