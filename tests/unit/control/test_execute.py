"""Commands by way of the reconciler, over a plane that carries nothing: what goes wrong on the way
leaves everything as it was. What clients see of commands is in tests/conformance.
"""

import asyncio

import pytest

from ambassador.control import owed
from ambassador.control.reconciler import Phase, Reconciler
from ambassador.core.commands import (
    Add,
    Cut,
    Drain,
    Hold,
    Move,
    Ready,
    Release,
    Reload,
    Reset,
    Sessions,
    Status,
)
from ambassador.core.plan import ChangeRoute
from ambassador.errors import (
    ConfigError,
    NotFoundError,
    NotVerifiedError,
    PlaneError,
    RunError,
    StoreError,
    TimedOutError,
)
from ambassador.model import Admin, Endpoint, Existing, Fate, Inet, Reason, Route, Snapshot
from ambassador.ports import SessionStatus
from ambassador.tasks import spawn
from tests.planes import FakePlane
from tests.wishes import Wish as Says

A, B, C = (Endpoint(Inet(f"db{name}", 6379)) for name in "abc")
REDIS = Route("redis", Inet("", 6379), (A, B), alias="redis", port=6379, origin="var")
ADDED = Route("added", Inet("", 7000), (C,), alias="added", port=7000)
MOVE = Move("redis", ("tcp://dbc:6379",))


class Verifier:
    """Answers as told: None, or an error, or an event to wait for."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = 0
        self.waiting = asyncio.Event()

    async def verify(self, route, endpoints):
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, asyncio.Event):
            self.waiting.set()
            await answer.wait()
        elif answer is not None:
            raise answer


class Store:
    def __init__(self, *failures):
        self.failures = list(failures)
        self.kept = ()

    def load(self):
        return self.kept

    def save(self, wishes):
        if self.failures and (failure := self.failures.pop(0)):
            raise failure
        self.kept = tuple(wishes)


class Scene:
    def __init__(self, verifier=None, store=None):
        self.plane, self.store = FakePlane(), store
        self.says = Says(REDIS)
        self.it = Reconciler(
            (self.says,),
            self.plane,
            verifier=verifier,
            store=store,
            read_assignments=lambda _: Snapshot("arguments", (ADDED,)),
        )

    async def unchanged(self, kind, command, text=""):
        """Execute a command that must fail and change nothing; return the error."""
        before, kept = self.it.routes, self.store and self.store.kept
        view = await self.it.execute(Status())
        with pytest.raises(kind, match=text) as caught:
            await self.it.execute(command)
        assert self.it.routes == before == tuple(self.plane.routes.values())
        assert (self.store and self.store.kept) == kept
        after = await self.it.execute(Status())
        assert [one.differs for one in after.routes] == [one.differs for one in view.routes]
        return caught.value


def run(body, verifier=lambda: None, store=None):
    async def running():
        scene = Scene(verifier(), store)
        await scene.it.start()
        try:
            await asyncio.wait_for(body(scene), 20)
        finally:
            scene.it.events.close()

    asyncio.run(running())


def session(name, endpoint=A, address="10.0.0.2:6379", age=1.0):
    return SessionStatus(name, REDIS, "10.0.0.1:1", endpoint, address, age, 0, 0, "relay", "open")


def test_a_move_asks_before_and_after_and_takes_two_steps():
    verifier = []

    def make():
        verifier.append(Verifier())
        return verifier[0]

    async def body(scene):
        scene.plane.steps.clear()
        done = await scene.it.execute(Move("redis", ("tcp://dbc:6379",), existing="cut"), who="ann")
        assert verifier[0].asked == 2
        first, second = scene.plane.steps
        assert isinstance(first, ChangeRoute)
        assert [e.admin for e in first.new.endpoints] == [Admin.READY, Admin.DRAIN, Admin.DRAIN]
        assert first.existing is None
        assert (second.new.endpoints, second.existing) == ((C,), Existing(Fate.CUT))
        assert (done.from_, done.endpoints) == (
            ("tcp://dba:6379", "tcp://dbb:6379"),
            ("tcp://dbc:6379",),
        )
        assert [event.event for event in scene.it.events.since(0)][-1] == "commanded"

    run(body, make)


def test_a_move_without_asking():
    async def body(scene):
        await scene.it.execute(Move("redis", ("tcp://dbc:6379",), verify=False))
        assert scene.it.routes[0].endpoints == (C,)

    run(body, lambda: Verifier(NotVerifiedError("no")))


@pytest.mark.parametrize("answers", [(NotVerifiedError("no"),), (None, NotVerifiedError("no"))])
def test_a_new_endpoint_that_does_not_answer_before_or_after(answers):
    async def body(scene):
        await scene.unchanged(NotVerifiedError, MOVE, "no")

    run(body, lambda: Verifier(*answers))


@pytest.mark.parametrize("place", [0, 1])
def test_an_endpoint_that_is_silent_until_the_time_of_a_move_is_over_does_not_answer(place):
    async def body(scene):
        command = Move("redis", ("tcp://dbc:6379",), timeout=0.5)
        await scene.unchanged(NotVerifiedError, command, r"did not answer within 0\.5 s")

    run(body, lambda: Verifier(*[None] * place, asyncio.Event()))


@pytest.mark.parametrize("failures", [[PlaneError("nft")], [None, PlaneError("nft")]])
def test_a_plane_that_fails_in_either_step(failures):
    async def body(scene):
        scene.plane.failures = list(failures)
        await scene.unchanged(PlaneError, MOVE, "nft")

    run(body, store=Store())


@pytest.mark.parametrize("command", [MOVE, Hold("redis"), Drain("redis", deadline=9.0)])
def test_what_cannot_be_kept_is_not_done(command):
    async def body(scene):
        await scene.unchanged(StoreError, command, "full")

    run(body, store=Store(StoreError("disk is full")))


@pytest.mark.parametrize("free", [Release("redis"), Ready("redis"), Reset("redis")])
def test_what_frees_clients_is_done_at_once_and_the_store_is_owed(free, monkeypatch):
    monkeypatch.setattr(owed, "_REPAY", 0.01)
    store = Store()

    async def body(scene):
        command = Hold("redis") if isinstance(free, Release | Reset) else Drain("redis")
        await scene.it.execute(command)
        kept, full = store.kept, StoreError("disk is full")
        store.failures = [full, full]
        done = await scene.it.execute(free)
        assert done.message.endswith("; a restart would undo it: disk is full")
        (route,) = scene.it.routes
        assert route == REDIS
        assert store.kept == kept
        assert (await scene.it.execute(Status())).unkept == "disk is full"
        while store.kept:
            await asyncio.sleep(0.001)
        while (await scene.it.execute(Status())).unkept:
            await asyncio.sleep(0.001)
        said = [event.event for event in scene.it.events.since(0)]
        assert [name for name in said if "kept" in name] == ["not_kept", "kept"]

    run(body, store=store)


def test_what_is_owed_is_tried_once_more_at_the_stop():
    store = Store()

    async def body(scene):
        await scene.it.execute(Hold("redis"))
        store.failures = [StoreError("disk is full")]
        await scene.it.execute(Release("redis"))
        assert store.kept
        await scene.it.stop(0)
        assert not store.kept

    run(body, store=store)


def test_what_cannot_be_done_is_not_kept():
    async def body(scene):
        scene.plane.failures = [PlaneError("nft")]
        await scene.unchanged(PlaneError, Hold("redis"), "nft")

    run(body, store=Store())


def test_what_cannot_be_taken_back_from_the_store_is_told():
    async def body(scene):
        scene.plane.failures = [PlaneError("nft")]
        with pytest.raises(PlaneError):
            await scene.it.execute(Hold("redis"))
        assert "not_kept" in [event.event for event in scene.it.events.since(0)]

    run(body, store=Store(None, StoreError("full")))


def test_what_was_kept_is_wanted_again_after_a_restart():
    store = Store()

    async def first(scene):
        await scene.it.execute(MOVE, who="ann")

    async def second(scene):
        assert scene.it.routes[0].endpoints == (C,)
        (view,) = (await scene.it.execute(Status())).routes
        assert view.differs.startswith("moved by ann at ")
        assert "differs" in [event.event for event in scene.it.events.since(0)]

    run(first, store=store)
    run(second, store=store)


def test_status_and_sessions_do_not_wait_for_a_move_and_changes_do():
    gate = []

    def make():
        gate.append(asyncio.Event())
        return Verifier(gate[0])

    async def body(scene):
        moving = spawn(scene.it.execute(MOVE), "move")
        await scene.it._commands.executor._moves._verifier.waiting.wait()
        assert (await scene.it.execute(Status())).phase == "ready"
        assert (await scene.it.execute(Sessions())).total == 0
        holding = spawn(scene.it.execute(Hold("redis")), "hold")
        with pytest.raises(TimedOutError, match="another change is still being made"):
            await scene.it.execute(Move("redis", ("tcp://dbc:1",), timeout=0.05))
        assert not holding.done()
        gate[0].set()
        await moving
        await holding
        assert scene.it.routes[0].endpoints == (C,)
        assert scene.it.routes[0].hold is not None

    run(body, make)


def test_a_caller_that_goes_away_does_not_stop_what_has_begun():
    gate = []

    def make():
        gate.append(asyncio.Event())
        return Verifier(gate[0])

    async def body(scene):
        moving = spawn(scene.it.execute(MOVE), "move")
        await scene.it._commands.executor._moves._verifier.waiting.wait()
        moving.cancel()
        gate[0].set()
        await scene.it.execute(Hold("redis"))  # whose turn comes after
        assert scene.it.routes[0].endpoints == (C,)

    run(body, make)


def test_a_stop_breaks_off_a_move_and_then_nothing_is_changed():
    async def body(scene):
        moving = spawn(scene.it._commands._outcome(MOVE, "ann", 0.0, lambda: False), "move")
        await scene.it._commands.executor._moves._verifier.waiting.wait()
        await scene.it.stop(0.0)
        assert "is stopping; nothing has changed" in str(await moving)
        assert scene.it.phase is Phase.STOPPING
        with pytest.raises(RunError, match="the ambassador is stopping"):
            await scene.it.execute(Hold("redis"))

    run(body, lambda: Verifier(asyncio.Event()))


def test_a_reload_by_command_is_told_and_raises_what_is_wrong():
    async def body(scene):
        scene.says.routes = (REDIS, ADDED)
        done = await scene.it.execute(Reload(), who="ann")
        assert (done.message, done.routes) == ("reloaded: 1 change", ("added",))
        scene.says.error = PlaneError("gone")
        with pytest.raises(PlaneError):
            await scene.it.execute(Reload())
        (source,) = (await scene.it.execute(Status())).sources
        assert source.error == "gone"
        scene.says.error = None
        await scene.it.execute(Reload())
        (source,) = (await scene.it.execute(Status())).sources
        assert source.error == ""

    run(body)


def test_routes_are_added_from_what_they_are_written_as():
    async def body(scene):
        done = await scene.it.execute(Add(("ADDED_PORT_7000_TCP=tcp://dbc:6379",)), who="ann")
        assert done.routes == ("added",)
        assert [route.origin for route in scene.it.routes] == ["var", "added by ann"]
        await scene.unchanged(ConfigError, Add(()), "is empty")

    run(body)


@pytest.mark.parametrize(
    ("command", "ids"),
    [
        (Cut("redis"), ["r1", "r2", "r3"]),
        (Cut(endpoint="tcp://dba:6379"), ["r1"]),
        (Cut("redis", "dbb:6379"), ["r2"]),
        (Cut(endpoint="10.9.9.9:6379"), ["r3"]),
        (Cut(session="r2"), ["r2"]),
        (Cut(endpoint="tcp://dba:6379", session=""), ["r1"]),
    ],
)
def test_a_cut_ends_what_is_meant(command, ids):
    async def body(scene):
        scene.plane.open = [session("r1"), session("r2", B), session("r3", None, "10.9.9.9:6379")]
        done = await scene.it.execute(command)
        assert scene.plane.cuts == [(name, Reason.CUT) for name in ids]
        assert (done.sessions, done.routes) == (len(ids), ("redis",))

    run(body)


@pytest.mark.parametrize(
    ("command", "kind", "text"),
    [
        (Cut(session="r9"), NotFoundError, 'no open session "r9"'),
        (Cut("redis", session="r1"), ConfigError, "nothing else is named"),
        (Cut(), ConfigError, "neither a route nor an endpoint"),
        (Cut("rdis"), NotFoundError, 'did you mean "redis"'),
        (Cut(endpoint="tcp://dbz:6379"), NotFoundError, "no endpoint"),
        (Cut("redis", rate=-1), ConfigError, "must be 0 or more"),
        (Sessions(limit=0), ConfigError, "at least 1"),
        (Sessions("rdis"), NotFoundError, 'did you mean "redis"'),
        (Status("rdis"), NotFoundError, 'did you mean "redis"'),
    ],
)
def test_what_is_not_there_cannot_be_asked_for(command, kind, text):
    async def body(scene):
        scene.plane.open = [session("r1")]
        await scene.unchanged(kind, command, text)
        assert scene.plane.cuts == []

    run(body)


def test_a_deadline_is_forgotten_with_its_drain():
    async def body(scene):
        await scene.it.execute(Drain("redis", "dba:6379", deadline=60.0))
        assert len(scene.it.endings) == 1
        await scene.it.execute(Ready("redis", "dba:6379"))
        assert scene.it.endings == ()

    run(body)


def test_sessions_the_oldest_first_and_no_more_than_asked_for():
    async def body(scene):
        scene.plane.open = [session("r1", age=1.0), session("r2", age=9.0), session("r3", age=5.0)]
        found = await scene.it.execute(Sessions("redis", limit=2))
        assert ([one.id for one in found.sessions], found.total) == (["r2", "r3"], 3)

    run(body)


def test_without_a_way_to_read_them_nothing_can_be_added():
    async def body():
        it = Reconciler((Says(REDIS),), FakePlane())
        await it.start()
        with pytest.raises(RunError, match="takes no routes at run time"):
            await it.execute(Add(("X",)))
        it.events.close()

    asyncio.run(body())
