"""A table that is about to be full is told of each time it comes to that, and no more often."""

import asyncio

import pytest

from ambassador.planes.kernel import fullness
from ambassador.planes.kernel.fullness import FullnessWatch, nearly_full
from ambassador.planes.kernel.tracking import Fill


@pytest.mark.parametrize(
    ("count", "before", "full"),
    [
        (0, False, False),
        (94, False, False),
        (95, False, True),
        (120, False, True),
        (94, True, True),
        (90, True, True),
        (89, True, False),
        (0, True, False),
    ],
)
def test_it_is_full_from_95_percent_and_has_room_below_90(count, before, full):
    assert nearly_full(Fill(count, 100), before=before) is full


def test_each_time_is_told_with_the_sysctl_and_the_end_of_it_too(monkeypatch, caplog):
    caplog.set_level("INFO", "ambassador")
    monkeypatch.setattr(fullness, "_CHECK", 0)
    seen = iter([10, 95, 99, 91, 95, 10, 20, 97, 98, None])

    async def watching():
        over = asyncio.Event()

        def look():
            count = next(seen)
            if count is None:
                over.set()
            return None if count is None else Fill(count, 100)

        watch = FullnessWatch(look)
        watch.open()
        await over.wait()
        watch.close()

    asyncio.run(watching())
    assert [(one.event, one.fields["count"]) for one in caplog.records] == [
        ("conntrack_full", 95),
        ("conntrack_not_full", 10),
        ("conntrack_full", 97),
    ]
    assert "95 of 100 entries" in caplog.records[0].message
    assert "net.netfilter.nf_conntrack_max=400" in caplog.records[0].message
