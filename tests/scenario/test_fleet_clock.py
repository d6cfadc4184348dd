"""The wall clock of etcd itself jumps by an hour, forwards and back: what is kept stays, and what
is not kept goes in its time.

Leases end by the monotonic clock: etcd's lease/lessor.go asks `time.Until(l.expiry)` of a time that
`time.Now()` gave, and Go subtracts such times by their monotonic readings (package time, "Monotonic
Clocks").
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.request
from contextlib import ExitStack
from email.utils import parsedate_to_datetime

import pytest

from tests.etcd import Member
from tests.ports import free_port
from tests.program import COMMAND, Program, clean_environ
from tests.wait import until
from tests.wall_clock import WallClock

pytestmark = pytest.mark.root

HOUR = 3600.0
ANNOUNCED = "/ambassador/services/t/announced/"
REPORTS = "/ambassador/applied/s/"


def ahead(member):
    """Return by how many seconds the clock of the member is ahead of ours."""
    with urllib.request.urlopen(f"{member.url}/version", timeout=10) as answer:
        return parsedate_to_datetime(answer.headers["Date"]).timestamp() - time.time()


def revision(member, prefix):
    """Return at which revision what stands under `prefix` was written last."""
    found = json.loads(member.ctl("get", "--prefix", prefix, "-w", "json"))
    return [one["mod_revision"] for one in found.get("kvs", ())]


def left(member, lease):
    """Return how many seconds a lease has left; -1: it has ended."""
    return int(member.ask("/v3/lease/timetolive", {"ID": lease}).get("TTL", 0))


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forwards", "back"])
def test_leases_and_routes_do_not_follow_the_wall_clock_of_etcd(tmp_path, jump):
    clock, port = WallClock(), free_port()
    member = Member(tmp_path, begin=clock.start).start()
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    url, other = (f"tcp://127.0.0.1:{one.getsockname()[1]}" for one in servers)
    try:
        member.put("/ambassador/services/s/word", {"schema": 1, "endpoints": [url]})
        program = Program(f"S_PORT_{port}_TCP=etcd://s", AMBASSADOR_ETCD=member.url)
        words = (*COMMAND, "announce", "t", url, "--ttl", "2s")
        announcing = subprocess.Popen(
            words, env=clean_environ(AMBASSADOR_ETCD=member.url), stderr=subprocess.PIPE, text=True
        )
        with program, announcing, ExitStack() as stack:
            stack.callback(announcing.kill)
            program.wait_for("ready", 20)
            before = (
                until(lambda: revision(member, ANNOUNCED), 20),
                until(lambda: revision(member, REPORTS), 20),
            )
            kept, loose = (
                member.ask("/v3/lease/grant", {"TTL": seconds})["ID"] for seconds in ("60", "3")
            )
            clock.ahead = jump
            until(lambda: abs(ahead(member) - jump) < 30, 10, "the clock of etcd has jumped")
            assert 30 < left(member, kept) <= 60
            member.put("/ambassador/services/s/word", {"schema": 1, "endpoints": [other]})
            until(lambda: program.said("route_changed"), 10, "a change is applied")
            # Longer than the announcer's lease: it was renewed more than once by then.
            until(lambda: left(member, loose) < 0, 10, "what nobody keeps ends in its time")
            assert left(member, kept) > 0
            assert before[0] == revision(member, ANNOUNCED)
            assert len(revision(member, REPORTS)) == len(before[1]) == 1
            assert not {"etcd_stale", "fleet_untold"} & {one["event"] for one in program.events}
            announcing.send_signal(signal.SIGTERM)
            assert "lease_lost" not in announcing.communicate(timeout=10)[1]
        assert clock.asked > 100
    finally:
        member.stop()
        for one in servers:
            one.close()
        clock.close()
