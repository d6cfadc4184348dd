"""One move for all, among ambassadors that a test plays, and between operators who do not wait."""

import asyncio
import contextlib

import pytest

from ambassador.core.fleet.allow import ANY
from ambassador.core.fleet.destination import destination
from ambassador.core.fleet.past import to_undo
from ambassador.core.fleet.picture import Picture, picture
from ambassador.core.fleet.records import Applied, State, parse_trial, parse_word, written
from ambassador.errors import ConflictError, NotFoundError
from ambassador.fleet.mover import Mover, Plan
from ambassador.fleet.requests import absent, delete, put
from ambassador.fleet.standing import named, standing
from ambassador.fleet.watching import Watching
from ambassador.spec import format_endpoint, parse_endpoint

pytestmark = pytest.mark.asyncio
A, B, C = (parse_endpoint(f"tcp://10.0.0.{n}:6379") for n in (1, 2, 3))


class Fleet:
    """Ambassadors that report at once; those in `cannot` refuse, those in `silent` say nothing."""

    def __init__(self, member, keys, count=5):
        self.keys, self.client = keys, member.client()
        self.names = [f"host-{n}" for n in range(count)]
        self.cannot: set[str] = set()
        self.silent: set[str] = set()
        self.trials: list[int] = []
        self.picture = Picture()
        self.watching = Watching(self.client, keys, self._told)
        self.at = dict.fromkeys(self.names, ())

    async def _told(self, values):
        self.picture = picture(self.keys, values, ANY, self.picture, routes=False)
        await self.report()

    async def report(self):
        changes = []
        service = self.picture.service("s")
        for name in set(self.names) - self.silent:
            there = destination(service, name)
            state = State.HELD if there.tried else State.APPLIED
            if name in self.cannot and there.endpoints == (B,):
                state = State.REFUSED
            elif not there.tried:
                self.at[name] = there.endpoints
            applied = Applied(
                there.revision, state, tuple(map(format_endpoint, self.at[name])), "no"
            )
            changes.append(put(self.keys.applied("s", name), written(applied)))
        if changes:
            await self.client.change((), changes, "k")

    async def __aenter__(self):
        await self.watching.start()
        await self.report()
        self.task = asyncio.get_running_loop().create_task(self.watching.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
        self.client.close()

    def mover(self, who="ann"):
        self.stages = {}
        return Mover(
            self.client, self.keys, who, lambda stage, now: self.stages.update({stage: now})
        )

    async def word(self):
        key = self.keys.word("s")
        found = (await self.client.get(key)).values.get(key)
        return None if found is None else parse_word(key, found.text)


async def test_a_move_is_done_when_all_have_applied_it(member, keys):
    async with Fleet(member, keys) as fleet:
        outcome = await fleet.mover().move(Plan("s", (A,)))
        assert (outcome.done, len(outcome.progress.applied)) == (True, 5)
        assert (await fleet.word()).who == "ann"
        found = await standing(fleet.client, keys, "s")
        assert [entry.what for entry in found.history.values()] == ["move"]
        assert await named(fleet.client, keys) == ["s"]
        with pytest.raises(ConflictError, match=r"leads to tcp://10\.0\.0\.1:6379 already"):
            await fleet.mover().move(Plan("s", (A,)))


async def test_those_who_have_not_applied_it_in_time_are_named(member, keys):
    async with Fleet(member, keys) as fleet:
        fleet.silent = {"host-2"}
        outcome = await fleet.mover().move(Plan("s", (A,), timeout=0.3))
        assert (outcome.done, outcome.aborted) == (False, "")
        assert outcome.progress.waiting == ("host-2",)


async def test_one_whose_lease_has_ended_is_waited_for_no_longer(member, keys):
    async with Fleet(member, keys) as fleet:
        fleet.silent = {"host-2"}
        moving = asyncio.get_running_loop().create_task(fleet.mover().move(Plan("s", (A,))))
        async with asyncio.timeout(15):
            while len(getattr(fleet.stages.get("move"), "applied", ())) < 4:
                await asyncio.sleep(0.01)
        await fleet.client.change((), (delete(keys.applied("s", "host-2")),), "k")
        outcome = await moving
        assert (outcome.done, outcome.progress.gone) == (True, ("host-2",))


async def test_where_too_many_cannot_it_is_taken_back_for_all(member, keys):
    async with Fleet(member, keys) as fleet:
        await fleet.mover().move(Plan("s", (A,)))
        fleet.cannot = {"host-1", "host-3"}
        outcome = await fleet.mover().move(Plan("s", (B,), abort=30))
        assert (outcome.done, outcome.aborted) == (False, "2 of 5 cannot: host-1: no and 1 more")
        assert (await fleet.word()).endpoints == (A,)
        assert set(fleet.at.values()) == {(A,)}
        history = (await standing(fleet.client, keys, "s")).history
        assert [(one.what, one.of) for one in history.values()] == [
            ("abort", 2),
            ("move", 0),
            ("move", 0),
        ]
        # The same share is borne where it is stated.
        outcome = await fleet.mover().move(Plan("s", (B,), abort=40, timeout=0.3))
        assert (outcome.aborted, len(outcome.progress.refused)) == ("", 2)
        assert (await fleet.word()).endpoints == (B,)


async def test_a_canary_goes_first_and_the_others_wait_for_it(member, keys):
    async with Fleet(member, keys) as fleet:
        await fleet.mover().move(Plan("s", (A,)))
        mover = fleet.mover()
        moving = asyncio.get_running_loop().create_task(
            mover.move(Plan("s", (B,), canary=40, wait=0.5))
        )
        async with asyncio.timeout(15):
            while "wait" not in fleet.stages:
                await asyncio.sleep(0.01)
        there = list(fleet.at.values())
        assert (there.count((A,)), there.count((B,))) == (3, 2)
        assert (await fleet.word()).endpoints == (A,)
        outcome = await moving
        assert outcome.done
        assert set(fleet.at.values()) == {(B,)}
        assert (await fleet.client.get(keys.trial("s"))).values == {}


async def test_a_canary_that_cannot_ends_the_move_and_nobody_else_was_asked(member, keys):
    async with Fleet(member, keys) as fleet:
        await fleet.mover().move(Plan("s", (A,)))
        fleet.cannot = set(fleet.names)
        outcome = await fleet.mover().move(Plan("s", (B,), canary=20, wait=5))
        assert outcome.aborted.startswith("1 of 1 cannot")
        assert (await fleet.word()).endpoints == (A,)
        assert (await fleet.client.get(keys.trial("s"))).values == {}
        last = (await standing(fleet.client, keys, "s")).history[2]
        assert (last.what, last.of, last.who) == ("abort", 0, "ann")
        assert (last.endpoints, last.before) == ((A,), (B,))
        assert last.why == outcome.aborted
        assert to_undo((await standing(fleet.client, keys, "s")).history) == 1


async def test_with_hold_all_wait_before_the_word_is_said(member, keys):
    async with Fleet(member, keys) as fleet:
        await fleet.mover().move(Plan("s", (A,)))
        outcome = await fleet.mover().move(Plan("s", (B,), hold=True, existing="cut"))
        assert outcome.done
        assert len(fleet.stages["hold"].applied) == 5
        assert (await fleet.word()).existing.fate == "cut"
        fleet.cannot = {"host-0", "host-1"}
        await fleet.mover().move(Plan("s", (A,)))
        outcome = await fleet.mover().move(Plan("s", (B,), hold=True))
        assert "2 of 5 cannot" in outcome.aborted
        assert (await fleet.word()).endpoints == (A,)


async def test_a_mover_that_goes_away_takes_its_trial_along(member, keys):
    async with Fleet(member, keys) as fleet:
        await fleet.mover().move(Plan("s", (A,)))
        moving = asyncio.get_running_loop().create_task(
            fleet.mover().move(Plan("s", (B,), canary=20, wait=60))
        )
        key = keys.trial("s")
        async with asyncio.timeout(15):
            while "wait" not in fleet.stages:
                await asyncio.sleep(0.01)
        stands = (await fleet.client.get(key)).values[key]
        assert stands.lease
        assert parse_trial(key, stands.text).who == "ann"
        with pytest.raises(ConflictError, match="a move of s by ann is under way"):
            await Mover(fleet.client, keys, "bob").move(Plan("s", (C,)))
        moving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await moving
        assert (await fleet.client.get(key)).values == {}
        last = (await standing(fleet.client, keys, "s")).history[2]
        assert (last.what, last.why) == ("abort", "given up before the move was decided")


async def test_undo_goes_back_one_move_each_time(member, keys):
    async with Fleet(member, keys) as fleet:
        for endpoint in (A, B):
            await fleet.mover().move(Plan("s", (endpoint,)))
        plan, outcome = await fleet.mover().undo("s", Plan("s", ()))
        assert (plan.endpoints, outcome.done) == ((A,), True)
        await fleet.mover().undo("s", Plan("s", ()))
        assert (await fleet.word()).endpoints == ()
        with pytest.raises(NotFoundError, match="there is no move of s to take back"):
            await fleet.mover().undo("s", Plan("s", ()))


async def test_a_service_nobody_follows_cannot_be_moved(member, keys):
    async with Fleet(member, keys) as fleet:
        with pytest.raises(NotFoundError, match="no ambassador follows t under"):
            await fleet.mover().move(Plan("t", (A,)))


async def test_the_history_is_bounded(member, keys):
    async with Fleet(member, keys, 1) as fleet:
        line = written((await standing(fleet.client, keys, "s")).word)
        assert line
        await fleet.mover().move(Plan("s", (A,)))
        first = (await fleet.client.get(keys.history("s", 1))).values[keys.history("s", 1)]
        entries = [put(keys.history("s", n), first.text) for n in range(2, 101)]
        await fleet.client.change((absent("nothing"),), entries, "k")
        await fleet.mover().move(Plan("s", (B,)))
        begin = keys.history("s")
        found = (await fleet.client.get(begin, begin[:-1] + "0")).values
        assert (len(found), min(found)) == (100, keys.history("s", 2))


async def test_of_two_operators_at_once_one_wins_and_the_other_is_told(member, keys):
    async with Fleet(member, keys, 2) as fleet:
        await fleet.mover().move(Plan("s", (C,)))
        for turn in range(30):
            wanted = {"ann": (A,), "bob": (B,)} if turn % 2 else {"ann": (B,), "bob": (C,)}
            if turn % 3 == 2:
                wanted = {"ann": (C,), "bob": (A,)}
            results = await asyncio.gather(
                *(
                    Mover(member_client, keys, who).move(Plan("s", to))
                    for (who, to), member_client in zip(
                        wanted.items(), (fleet.client, fleet.client), strict=True
                    )
                ),
                return_exceptions=True,
            )
            won = [who for who, one in zip(wanted, results, strict=True) if hasattr(one, "done")]
            lost = [one for one in results if isinstance(one, Exception)]
            assert len(won) + len(lost) == 2
            assert all(isinstance(one, ConflictError) for one in lost), lost
            assert won
            async with asyncio.timeout(15):
                while len({*fleet.at.values(), (await fleet.word()).endpoints}) != 1:
                    await asyncio.sleep(0.005)
            assert (await fleet.word()).who in won
