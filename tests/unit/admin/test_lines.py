import asyncio
import json
from types import SimpleNamespace

from ambassador import log
from ambassador.admin.lines import lines_of
from ambassador.admin.operations import Events as Wanted
from ambassador.control.events import Events
from ambassador.tasks import spawn


def test_hundreds_of_events_come_in_a_few_pieces_each_once_in_order():
    async def main():
        events = Events()
        for number in range(500):
            log.event(log.INFO, "thing", f"thing {number}", number=number)
        pieces = [one async for one in lines_of(SimpleNamespace(events=events), Wanted())]
        events.close()
        return pieces

    pieces = asyncio.run(main())
    assert len(pieces) == 25
    told = [json.loads(line) for line in b"".join(pieces).splitlines()]
    assert [one["fields"]["number"] for one in told] == list(range(500))


def test_who_follows_is_told_at_once_and_until_the_end():
    async def main():
        events, found = Events(), []

        async def follow():
            async for piece in lines_of(SimpleNamespace(events=events), Wanted(follow=True)):
                found.append(piece)  # noqa: PERF401 (it is looked at meanwhile)

        following = spawn(follow(), "follow")
        for number in range(3):
            log.event(log.INFO, "thing", f"thing {number}")
            while len(found) <= number:
                await asyncio.sleep(0)
        events.close()
        await asyncio.wait_for(following, 5)
        return found

    assert [json.loads(one)["message"] for one in asyncio.run(main())] == [
        "thing 0", "thing 1", "thing 2",
    ]  # fmt: skip


def test_one_who_has_seen_some_gets_the_rest():
    async def main():
        events = Events(capacity=10)
        for number in range(30):
            log.event(log.INFO, "thing", f"thing {number}")
        numbers = {}
        for after in (0, 5, 25, 30, 99):
            known = events.since(after)
            numbers[after] = [one.number for one in known]
        events.close()
        return numbers

    assert asyncio.run(main()) == {
        0: list(range(21, 31)), 5: list(range(21, 31)), 25: list(range(26, 31)), 30: [], 99: [],
    }  # fmt: skip
