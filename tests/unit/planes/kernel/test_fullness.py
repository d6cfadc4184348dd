"""A table that is about to be full is told of each time it comes to that, and no more often."""

import asyncio

import pytest

from ambassador.planes.kernel import fullness as module
from ambassador.planes.kernel.fullness import Fullness, FullnessWatch, fullness, with_fullness
from ambassador.planes.kernel.tracking import Fill
from ambassador.ports import RouteStatus
from tests.conformance.ambassador import route

ROOM, NEARLY, FULL = Fullness


@pytest.mark.parametrize(
    ("count", "before", "now"),
    [
        (0, ROOM, ROOM),
        (94, ROOM, ROOM),
        (95, ROOM, NEARLY),
        (99, ROOM, NEARLY),
        (100, ROOM, FULL),
        (120, NEARLY, FULL),
        (99, FULL, NEARLY),
        (94, NEARLY, NEARLY),
        (90, FULL, NEARLY),
        (89, NEARLY, ROOM),
        (0, FULL, ROOM),
    ],
)
def test_it_is_nearly_full_from_95_percent_and_has_room_below_90(count, before, now):
    assert fullness(Fill(count, 100), before=before) is now


def test_the_status_of_each_route_says_that_nobody_new_is_served():
    of = route(6379, "10.0.0.1:7000")
    plain = [RouteStatus(of, "kernel", why, 0, 0, 0, 0, 0) for why in ("", "no IPv6")]
    assert with_fullness(plain, lambda: None) == plain
    assert with_fullness(plain, lambda: Fill(99, 100)) == plain
    first, second = (one.why for one in with_fullness(plain, lambda: Fill(100, 100)))
    assert "full, 100 of 100 entries: the kernel drops new connections" in first
    assert second == f"{first}; no IPv6"


def test_each_time_is_told_with_the_sysctl_and_the_end_of_it_too(monkeypatch, caplog):
    caplog.set_level("INFO", "ambassador")
    monkeypatch.setattr(module, "_CHECK", 0)
    monkeypatch.setattr(module, "_SOON", 0)
    # At 0 it is not shown: the kernel's module is not there yet.
    seen = iter([0, 10, 95, 99, 91, 95, 10, 20, 97, 100, 99, 100, None])

    async def watching():
        over = asyncio.Event()

        def look():
            count = next(seen, None)
            if count is None:
                over.set()
            return Fill(count, 100) if count else None

        watch = FullnessWatch(look)
        watch.open()
        await over.wait()
        watch.close()

    asyncio.run(watching())
    assert [(one.event, one.fields["count"]) for one in caplog.records] == [
        ("conntrack_nearly_full", 95),
        ("conntrack_not_full", 10),
        ("conntrack_nearly_full", 97),
        ("conntrack_full", 100),
        ("conntrack_full", 100),
    ]
    assert "95 of 100 entries" in caplog.records[0].message
    assert "is full, 100 of 100 entries" in caplog.records[3].message
    for one in (0, 3):
        assert "net.netfilter.nf_conntrack_max=400" in caplog.records[one].message
