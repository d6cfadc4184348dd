"""What the seams that are told something promise (ports.SessionEnded, ports.EndpointNoticed,
ports.ClientArrived, ports.EndpointJudged): they neither block nor raise, whatever it is. And what
ports.MetricsPage does.
"""

from __future__ import annotations

import asyncio
import time
from itertools import product

import pytest

from ambassador.control.reconciler import Reconciler
from ambassador.model import Endpoint, Health, Inet, Proto, Reason
from ambassador.planes.kernel.eligible import Abilities
from ambassador.planes.kernel.plane import KernelPlane
from ambassador.ports import SessionRecord, unheard
from ambassador.telemetry import debug_log
from ambassador.telemetry.access_log import AccessLog
from ambassador.telemetry.durations import Durations
from ambassador.telemetry.prometheus import Facts, MetricsText
from tests.names import StaticResolver
from tests.planes import FakePlane

DB = Endpoint(Inet("db", 5432))


def records():
    for reason, proto, plane, endpoint in product(Reason, Proto, ("relay", "kernel"), (None, DB)):
        address = "10.0.0.1:5432" if endpoint else ""
        yield SessionRecord(
            "r", proto, "h:1", endpoint, address, plane, 1, 2, 0.1, 0.2, reason, "", 3
        )


def access_log(folder):
    log = AccessLog(str(folder / "access.log"))
    log.open()
    return log, log.close


HEARERS = {
    "nobody": lambda _: (unheard, lambda: None),
    "the debug log": lambda _: (debug_log.tell, lambda: None),
    "the durations": lambda _: (Durations(), lambda: None),
    "the access log": access_log,
}


def test_sessions_told_of_in_sums_are_heard_as_if_each_was_told():  # ports.SessionsSummed
    one, all_at_once = Durations(), Durations()
    for record in records():
        if record.plane == "relay" and record.address:
            one(record)
            all_at_once.add(record.route, (record.connected_after,), (record.total,))
    assert one.counters("r") == all_at_once.counters("r")


@pytest.mark.parametrize("make", HEARERS.values(), ids=HEARERS)
def test_the_end_of_every_kind_of_session_is_heard(make, tmp_path):
    hear, close = make(tmp_path)
    began = time.thread_time()
    for record in records():
        hear(record)
    close()
    assert time.thread_time() - began < 1.0


def test_endpoints_and_clients_of_a_route_that_is_not_there_are_noticed_in_vain():
    async def main():
        abilities = Abilities("", "no nft", "", "", "")
        plane = KernelPlane(StaticResolver(), abilities, demanded=False, keep_rules=False)
        for address, reachable in product(("", "10.0.0.1"), (True, False)):
            plane.noticed("nowhere", DB, address, reachable)
        for client in (("10.0.0.3", 40312), ("fd00::3", 40312, 0, 0), "", None):
            plane.arrived("nowhere", 6379, client)
        await plane.close()

    asyncio.run(main())


def test_what_is_concluded_of_an_endpoint_that_is_not_there_changes_nothing():
    async def main():
        plane = FakePlane()
        reconciler = Reconciler([], plane)
        await reconciler.start()
        key = (Proto.TCP, Inet("", 1))
        for health in Health:
            await reconciler.judge(key, DB.address, health, "because")
        assert plane.steps == []
        reconciler.events.close()

    asyncio.run(main())


def test_the_page_of_metrics_is_text_also_before_there_is_a_route():
    async def facts():
        return Facts(True, (), ())

    page = b"".join(asyncio.run(MetricsText(facts, Durations())()))
    assert page.startswith(b"# HELP")
