"""What ambassadors report, followed while it comes, and where what lies between is gone."""

import asyncio

import pytest

from ambassador.core.fleet.keys import after
from ambassador.core.fleet.progress import Next
from ambassador.core.fleet.records import Applied, written
from ambassador.fleet.reports import Reports, Stage
from ambassador.fleet.requests import put

pytestmark = pytest.mark.asyncio


async def test_what_was_compacted_meanwhile_is_read_anew(member, keys):
    client, said = member.client(), []
    beginning = keys.applied("s")
    at = (await client.get(beginning, after(beginning))).revision
    for revision in (4, 5):
        change = put(keys.applied("s", "a"), written(Applied(revision, "applied")))
        _, last = await client.change((), [change], "k")
    member.ctl("compact", str(last))
    known = {"a": Applied(3, "applied")}
    reports = Reports(client, beginning, known, at, lambda *what: said.append(what))
    step, now = await reports.follow(Stage("move", ("a",), 5, 10, 10))
    assert (step, now.applied) == (Next.DONE, ("a",))
    assert [(stage, len(one.waiting)) for stage, one in said] == [("move", 1), ("move", 0)]
    client.close()


async def test_thousands_of_reports_are_not_told_one_by_one(member, keys):
    client, said = member.client(), []
    beginning = keys.applied("s")
    names = [f"a{number}" for number in range(2000)]
    at = (await client.get(beginning, after(beginning))).revision
    known = dict.fromkeys(names, Applied(1, "applied"))
    reports = Reports(client, beginning, known, at, lambda *what: said.append(what))
    following = asyncio.get_running_loop().create_task(
        reports.follow(Stage("move", names, 2, 30, 10))
    )
    other = member.client()
    for first in range(0, 2000, 100):
        some = names[first : first + 100]
        report = written(Applied(2, "applied"))
        await other.change((), [put(keys.applied("s", one), report) for one in some], "k")
    step, now = await following
    assert (step, len(now.applied)) == (Next.DONE, 2000)
    assert len(said) < 200
    for one in (client, other):
        one.close()


async def test_those_who_say_nothing_are_late(member, keys):
    client, said = member.client(), []
    known = {"a": Applied(1, "applied")}
    reports = Reports(client, keys.applied("s"), known, 1, lambda *what: said.append(what))
    step, now = await reports.follow(Stage("move", ("a",), 2, 0.2, 10))
    assert (step, now.waiting) == (Next.LATE, ("a",))
    client.close()
