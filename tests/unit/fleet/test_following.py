"""Services are led where etcd says, and what came of it is told."""

import asyncio

import pytest

from ambassador.core.fleet.picture import Picture, Seen, Service
from ambassador.core.fleet.records import Announced, Trial, Word
from ambassador.errors import NotVerifiedError, PlaneError
from ambassador.fleet.following import Following
from ambassador.model import Endpoint, Inet, Route

pytestmark = pytest.mark.asyncio
A, B = (Endpoint(Inet(f"10.0.0.{n}", 6379)) for n in (1, 2))
URL = {A: "tcp://10.0.0.1:6379", B: "tcp://10.0.0.2:6379"}


class World:
    """Routes of an ambassador, a verifier and planes, as a test wants them."""

    def __init__(self, *services):
        self.written = tuple(
            Route(name, Inet("", 6000 + n), (), service=name) for n, name in enumerate(services)
        )
        self.silent: set[Endpoint] = set()
        self.broken = False
        self.asked: list[tuple[Endpoint, ...]] = []
        self.reports: dict[str, list] = {}
        self.following = Following(
            "me",
            "host",
            routes=lambda: self.routes,
            verifier=self,
            place=self.place,
            report=lambda name, applied, _: self.reports.setdefault(name, []).append(applied),
        )
        self.routes = ()

    async def verify(self, route, endpoints):
        self.asked.append(tuple(endpoints))
        if self.silent & set(endpoints):
            raise NotVerifiedError("it does not answer; nothing has changed")

    async def place(self, service, who, what, existing):
        if self.broken:
            raise PlaneError("the planes cannot")
        self.routes = tuple(map(self.following.placed, self.written))

    def begin(self, **services):
        self.following.picture = Picture((), {n: Service(n, **s) for n, s in services.items()})
        self.routes = tuple(map(self.following.placed, self.written))
        self.following.begin()

    def say(self, **services):
        self.following.picture = Picture((), {n: Service(n, **s) for n, s in services.items()})
        self.following.look()

    async def report(self, name, state, revision):
        async with asyncio.timeout(5):
            while True:
                found = self.reports.get(name, [])
                if (
                    found
                    and found[-1]
                    and (found[-1].state, found[-1].revision) == (state, revision)
                ):
                    return found[-1]
                await asyncio.sleep(0.001)


def word(endpoint, revision=5):
    return Seen(revision, Word((endpoint,)))


async def test_at_the_start_a_service_is_where_etcd_says_and_nobody_is_asked():
    world = World("s")
    world.begin(s={"word": word(A)})
    assert world.routes[0].endpoints == (A,)
    report = await world.report("s", "applied", 5)
    assert (report.endpoints, report.host, world.asked) == ((URL[A],), "host", [])


async def test_a_move_is_applied_once_the_new_endpoints_have_answered():
    world = World("s")
    world.begin(s={"word": word(A)})
    world.say(s={"word": word(B, 6)})
    await world.report("s", "applied", 6)
    assert (world.routes[0].endpoints, world.asked) == ((B,), [(B,)])


async def test_what_does_not_answer_is_refused_and_tried_again():
    world = World("s")
    world.begin(s={"word": word(A)})
    world.silent = {B}
    world.say(s={"word": word(B, 6)})
    report = await world.report("s", "refused", 6)
    assert report.why == "it does not answer"
    assert world.routes[0].endpoints == (A,)
    world.silent = set()
    await world.report("s", "applied", 6)
    assert world.routes[0].endpoints == (B,)


async def test_what_the_planes_cannot_is_refused_and_all_is_as_it_was():
    world = World("s")
    world.begin(s={"word": word(A)})
    world.broken = True
    world.say(s={"word": word(B, 6)})
    assert (await world.report("s", "refused", 6)).why == "the planes cannot"
    assert world.following.placed(world.written[0]).endpoints == (A,)
    world.following.close()


async def test_what_is_announced_comes_and_goes_without_a_question():
    world = World("s")
    world.begin()
    assert world.routes[0].hold is not None
    world.say(s={"announced": (Announced(A), Announced(B))})
    await world.report("s", "applied", 0)
    async with asyncio.timeout(5):
        while world.routes[0].endpoints != (A, B):
            await asyncio.sleep(0.001)
    assert world.routes[0].hold is None
    world.say()
    async with asyncio.timeout(5):
        while world.routes[0].endpoints:
            await asyncio.sleep(0.001)
    assert world.asked == []


async def test_a_move_that_is_held_waits_at_the_old_endpoints_for_the_word():
    world = World("s")
    world.begin(s={"word": word(A)})
    trial = Seen(6, Trial((B,), "hold"))
    world.say(s={"word": word(A), "trial": trial})
    await world.report("s", "held", 6)
    assert (world.routes[0].endpoints, world.routes[0].hold is not None) == ((A,), True)
    world.say(s={"word": word(B, 7)})
    await world.report("s", "applied", 7)
    assert (world.routes[0].endpoints, world.routes[0].hold) == ((B,), None)
    world.say(s={"word": word(B, 7), "trial": Seen(8, Trial((A,), "hold"))})
    await world.report("s", "held", 8)
    world.say(s={"word": word(B, 7)})  # taken back
    await world.report("s", "applied", 7)
    assert (world.routes[0].endpoints, world.routes[0].hold) == ((B,), None)


async def test_a_trial_is_for_those_it_means():
    world = World("s")
    world.begin(s={"word": word(A)})
    world.say(s={"word": word(A), "trial": Seen(6, Trial((B,), "canary", "0" * 16))})
    await world.report("s", "applied", 5)
    world.say(s={"word": word(A), "trial": Seen(7, Trial((B,), "canary", "f" * 16))})
    await world.report("s", "applied", 7)
    assert world.routes[0].endpoints == (B,)
    world.say(s={"word": word(A)})
    await world.report("s", "applied", 5)
    assert world.routes[0].endpoints == (A,)


async def test_what_an_operator_has_moved_here_stays():
    world = World("s")
    world.begin(s={"word": word(A)})
    world.routes = tuple(
        Route(one.name, one.listen, (A,), service=one.service) for one in world.written
    )
    world.say(s={"word": word(B, 6)})
    assert "ambassador reset s" in (await world.report("s", "refused", 6)).why


async def test_a_service_nobody_names_any_longer_is_not_told_of():
    world = World("s")
    world.begin(s={"word": word(A)})
    await world.report("s", "applied", 5)
    world.routes = ()
    world.following.look()
    assert world.reports["s"][-1] is None
