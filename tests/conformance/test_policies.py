"""What becomes of open sessions: every cause, under every policy, however that is written, in both
planes. Spared are those whose policy says so, cut are those whose policy says so, and those that
drain go on first and end then.
"""

from __future__ import annotations

import itertools
import time

import pytest

from ambassador.core.commands import Maint, Move
from ambassador.core.follow.lead import Lead
from ambassador.core.follow.stage import Stance
from ambassador.model import Fate, Health, Inet, Pick, Reason
from ambassador.spec import parse_existing
from tests.conformance.ambassador import route
from tests.conformance.scene import works
from tests.wait import until

OLD, NEW = "10.77.0.4:7000", "10.77.0.5:7000"
FIRST = 6300
DRAIN = "drain=1500ms"


def lead(it, where):
    host, _, port = where.rpartition(":")
    word = Lead(Inet(host, int(port)), Stance.LET, "switch", "so it was said")
    it.ambassador.start(lambda reconciler: reconciler.switches.lead(it.key, word)).result(10)


def remove(it):
    it.ambassador.set(*it.ambassador.without(it.name))


# What happens to the endpoint, by its name: the word of the cause, and how it is brought about.
CAUSES = {
    "moved": (Reason.MOVED, lambda it: it.ambassador.execute(Move(it.name, (f"tcp://{NEW}",)))),
    "renamed": (Reason.MOVED, lambda it: it.ambassador.resolve(it.host, "10.77.0.5")),
    "demoted": (Reason.DEMOTED, lambda it: lead(it, NEW)),
    "unhealthy": (
        Reason.UNHEALTHY,
        lambda it: it.ambassador.judge(OLD, Health.UNHEALTHY, it.name),
    ),
    "maint": (Reason.MAINT, lambda it: it.ambassador.execute(Maint(it.name, f"tcp://{OLD}"))),
    "removed": (Reason.REMOVED, remove),
}
POLICIES = ("keep", "cut", "cut=100/s", DRAIN)


def written(cause, policy):
    """Return the ways to write that `policy` counts for `cause`."""
    word = CAUSES[cause][0].value
    otherwise = "cut" if policy == "keep" else "keep"
    named = (f"{otherwise},{word}={policy}",)
    # Of a demotion only what is said of it counts: a demoted member answers with errors for ever.
    return named if cause == "demoted" else (policy, *named)


CELLS = [
    (cause, policy, text)
    for cause, policy in itertools.product(CAUSES, POLICIES)
    for text in written(cause, policy)
] + [("demoted", "cut", "keep"), ("demoted", "cut", DRAIN)]


class Cell:
    """A route with one open session."""

    def __init__(self, number, cell, ambassador):
        self.cause, self.policy, self.text = cell
        self.name, self.port, self.host = f"r{number}", FIRST + number, f"db{number}"
        self.ambassador = ambassador
        ends = (f"{self.host}:7000",) if self.cause == "renamed" else (OLD, NEW)
        ends = (OLD,) if self.cause == "moved" else ends
        self.route = route(
            self.port,
            *ends,
            name=self.name,
            pick=Pick.FIRST,
            existing=parse_existing(self.text, "existing"),
            health="redis-primary" if self.cause == "demoted" else "",
        )
        self.key = self.route.key

    def __repr__(self):
        return f"{self.cause}: {self.text}"


def over(sock):
    """Tell whether the session of `sock` has ended with a reset; it says nothing otherwise."""
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    finally:
        sock.settimeout(20)


@pytest.mark.timeout(120)
def test_every_cause_under_every_policy(scene, ambassador):
    old = scene.endpoint("old")
    scene.endpoint("new")
    cells = [Cell(number, cell, ambassador) for number, cell in enumerate(CELLS)]
    for one in cells:
        ambassador.resolve(one.host, "10.77.0.4")
    ambassador.set(*(one.route for one in cells))
    for one in cells:
        if one.cause == "demoted":
            lead(one, OLD)
    until(lambda: {one.plane for one in ambassador.statuses()} == {ambassador.plane}, 10)
    for one in cells:
        one.client, one.upstream = scene.session(old, one.port)
        works(one.client, one.upstream)
    began = {}
    for one in cells:
        began[one] = time.monotonic()
        CAUSES[one.cause][1](one)
        if one.policy == DRAIN and time.monotonic() < began[one] + 1.0:
            works(one.client, one.upstream)
    for one in cells:
        if one.policy != "keep":
            until(lambda one=one: over(one.client) and over(one.upstream), 10, f"{one} ends")
    for one in cells:
        if one.policy == "keep":
            works(one.client, one.upstream)
    fates = {one.policy: parse_existing(one.policy, "").fate for one in cells}
    assert set(fates.values()) == set(Fate)
    for one in cells:
        reasons = [line["reason"] for line in ambassador.lines(one.name)]
        word = CAUSES[one.cause][0].value
        assert reasons == ([] if one.policy == "keep" else [word]), one
