"""What an operator asks, in both planes: what clients and endpoints see of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time

import pytest

from ambassador.core.commands import (
    Add,
    Cut,
    Drain,
    Hold,
    Maint,
    Move,
    Ready,
    Release,
    Remove,
    Reset,
    Sessions,
    Status,
)
from ambassador.errors import ConflictError, NotFoundError, NotVerifiedError
from ambassador.model import Existing, Fate, Health, Pick, Proto
from tests.conformance.ambassador import route
from tests.conformance.scene import ends_with_reset, works
from tests.kernel.peers import times_of_resets
from tests.wait import until

KEEP = Existing()
CUT = Existing(Fate.CUT)
DRAIN = Existing(Fate.DRAIN, seconds=2.0)
SLOWLY = Existing(Fate.CUT, rate=10)
OLD, NEW = "10.77.0.4:7000", "10.77.0.5:7000"
SILENT = (
    "table inet silent { chain in { type filter hook input priority 0; tcp dport 7000 drop; }; }"
)


@pytest.fixture
def old(scene):
    return scene.endpoint("old")


@pytest.fixture
def new(scene):
    return scene.endpoint("new")


def reaches(scene, endpoint, port=6379):
    """Return both ends of a new connection, which must lead to `endpoint`."""
    client = scene.dial("bridge", port)
    client.sendall(b"early")
    upstream = comes(scene, endpoint)
    works(client, upstream)
    return client, upstream


def comes(scene, endpoint):
    """Return the next connection in which `early` comes; those that verify say nothing."""
    while True:
        upstream = scene.accept(endpoint)
        if text := upstream.recv(5, socket.MSG_WAITALL):
            assert text == b"early"
            return upstream


def leads_to(scene, endpoint):
    """Tell whether a new connection leads to `endpoint`."""
    endpoint.settimeout(0.1)
    try:
        scene.dial("bridge", 6379)
        scene.accept(endpoint)
    except TimeoutError:
        return False
    finally:
        endpoint.settimeout(20)
    return True


def nobody_comes(endpoint):
    endpoint.settimeout(0.3)
    with pytest.raises(TimeoutError):
        endpoint.accept()
    endpoint.settimeout(20)


# Why an endpoint leaves: the endpoints of the route before, and what is done.
CAUSES = {
    "move": ((OLD,), lambda it: it.execute(Move("redis", (f"tcp://{NEW}",)))),
    "maint": ((OLD, NEW), lambda it: it.execute(Maint("redis", f"tcp://{OLD}"))),
    "health": ((OLD, NEW), lambda it: it.judge(OLD, Health.UNHEALTHY)),
    "names": (("db:7000",), lambda it: it.resolve("db", "10.77.0.5")),
    "reload": ((OLD,), lambda it: it.change("redis", NEW)),
    "removed by the operator": ((OLD,), lambda it: it.execute(Remove("redis"))),
    "removed by the source": ((OLD,), lambda it: it.set(*it.without("redis"))),
}


@pytest.fixture(params=CAUSES)
def leave(request, scene, ambassador, old, new):
    """Let the old endpoint leave its route, which has a policy, for one of the causes."""
    ends, act = CAUSES[request.param]

    def leave(existing):
        ambassador.resolve("db", "10.77.0.4")
        ambassador.set(
            route(6379, *ends, existing=existing, pick=Pick.FIRST),
            route(5432, OLD, name="other"),
        )
        sessions = [reaches(scene, old) for _ in range(10)]
        others = [reaches(scene, old, 5432) for _ in range(2)]
        began = time.monotonic()
        act(ambassador)
        if "removed" in request.param:
            with pytest.raises(ConnectionRefusedError):
                scene.dial("bridge", 6379)
        else:
            if request.param == "names":  # who is told of by DNS, and not asked to do it at once
                until(lambda: leads_to(scene, new), 10)
            reaches(scene, new)
        return began, sessions, others

    return leave


def test_kept_sessions_go_on(leave):
    _, sessions, others = leave(KEEP)
    for session in (*sessions, *others):
        works(*session)


def test_a_cut_is_told_at_once(leave):
    began, sessions, others = leave(CUT)
    assert max(times_of_resets(sessions)) - began < 2.0
    for session in others:
        works(*session)


def test_a_drain_cuts_in_its_last_part(leave):
    began, sessions, others = leave(DRAIN)
    told = sorted(moment - began for moment in times_of_resets(sessions))
    assert told[0] > 1.5
    assert told[-1] < 3.0
    for session in others:
        works(*session)


def test_a_rate_is_kept(leave):
    began, sessions, others = leave(SLOWLY)
    told = sorted(moment - began for moment in times_of_resets(sessions))
    assert told[len(told) // 2] > 0.3
    assert 0.8 < told[-1] < 3.0
    for session in others:
        works(*session)


def test_the_policy_of_a_move_counts_for_that_move_alone(scene, ambassador, old, new):
    ambassador.set(route(6379, OLD, existing=CUT))
    kept = reaches(scene, old)
    ambassador.execute(Move("redis", (f"tcp://{NEW}",), existing="keep"))
    moved = reaches(scene, new)
    works(*kept)
    ambassador.execute(Move("redis", (f"tcp://{OLD}",)))
    times_of_resets([moved])
    works(*kept)


def test_who_comes_while_a_move_holds_goes_to_the_new_endpoint(scene, ambassador, old, new):
    ambassador.set(route(6379, OLD))
    kept = reaches(scene, old)
    ambassador.execute(Hold("redis"))
    client = scene.dial("bridge", 6379)
    client.sendall(b"early")
    until(lambda: ambassador.status().held == 1)
    ambassador.execute(Move("redis", (f"tcp://{NEW}",), hold=True))
    assert ambassador.status().held == 1  # the hold was the operator's, not the move's
    ambassador.execute(Release("redis"))
    works(client, comes(scene, new))
    works(*kept)
    assert ambassador.execute(Move("redis", (f"tcp://{OLD}",), hold=True)).held == 0
    reaches(scene, old)


@pytest.mark.parametrize("verb", ["refuses", "is silent", "has no name"])
def test_a_move_to_what_does_not_answer_changes_nothing(scene, ambassador, old, verb):
    ambassador.set(route(6379, OLD))
    session = reaches(scene, old)
    where = "tcp://nowhere:7000" if verb == "has no name" else f"tcp://{NEW}"
    if verb == "is silent":
        scene.network.new.run("nft", "-f", "-", stdin=SILENT)
    before = ambassador.status().route
    with pytest.raises(NotVerifiedError, match=r"nothing has changed|nowhere"):
        ambassador.execute(Move("redis", (where,), hold=True))
    assert ambassador.status().route == before
    works(*session)
    reaches(scene, old)
    (view,) = ambassador.execute(Status("redis")).routes
    assert view.differs == ""


def test_a_move_to_a_silent_endpoint_changes_nothing(scene, ambassador, old):
    ambassador.set(route(6379, OLD))
    scene.network.new.run("nft", "-f", "-", stdin=SILENT)
    with pytest.raises(
        NotVerifiedError, match=r"did not answer within 0\.3 s; nothing has changed"
    ):
        ambassador.execute(Move("redis", (f"tcp://{NEW}",), timeout=0.3))
    reaches(scene, old)


def test_held_clients_wait_and_go_on_at_the_release(scene, ambassador, old):
    ambassador.set(route(6379, OLD))
    session = reaches(scene, old)
    ambassador.execute(Hold("redis"))
    clients = [scene.dial("bridge", 6379) for _ in range(5)]
    for client in clients:
        client.sendall(b"early")
    until(lambda: ambassador.status().held == 5)
    works(*session)
    nobody_comes(old)
    (view,) = ambassador.execute(Status("redis")).routes
    assert (view.hold.waiting, view.differs.split(" ")[0]) == (5, "held")
    assert ambassador.status().plane == "relay"
    ambassador.execute(Release("redis"))
    for _ in clients:
        comes(scene, old)
    reaches(scene, old)
    until(lambda: ambassador.status().plane == ambassador.plane)
    works(*session)


def test_who_is_held_too_long_is_reset_and_who_is_too_many_is_refused(scene, ambassador, old):
    ambassador.set(route(6379, OLD))
    ambassador.execute(Hold("redis", timeout=1.0, limit=2))
    began = time.monotonic()
    clients = [scene.dial("bridge", 6379) for _ in range(2)]
    until(lambda: ambassador.status().held == 2)
    with contextlib.suppress(ConnectionResetError):  # perhaps before we know we are connected
        assert ends_with_reset(scene.dial("bridge", 6379))
    assert time.monotonic() - began < 0.9
    assert all(ends_with_reset(client) for client in clients)
    assert 0.9 < time.monotonic() - began < 2.5
    assert ambassador.status().held == 0
    with pytest.raises(ConflictError, match="redis is held already"):
        ambassador.execute(Hold("redis"))


def test_a_drained_endpoint_keeps_what_it_has_and_gets_no_more(scene, ambassador, old, new):
    ambassador.set(route(6379, OLD, NEW, pick=Pick.FIRST))
    session = reaches(scene, old)
    ambassador.execute(Drain("redis", OLD))
    reaches(scene, new)
    works(*session)
    ambassador.execute(Ready(endpoint=f"tcp://{OLD}"))
    reaches(scene, old)


def test_where_all_are_drained_new_clients_wait_for_one_that_is_ready(scene, ambassador, old):
    ambassador.set(route(6379, OLD, connect=10.0))
    session = reaches(scene, old)
    ambassador.execute(Drain("redis"))
    client = scene.dial("bridge", 6379)
    client.sendall(b"early")
    nobody_comes(old)
    works(*session)
    assert ambassador.status().why in ("", "no endpoint takes new sessions")
    ambassador.execute(Ready("redis"))
    comes(scene, old)


def test_the_deadline_of_a_drain_cuts_what_is_left(scene, ambassador, old, new):
    ambassador.set(route(6379, OLD, NEW, pick=Pick.FIRST))
    sessions = [reaches(scene, old) for _ in range(5)]
    began = time.monotonic()
    ambassador.execute(Drain(endpoint=OLD, deadline=2.0))
    other = reaches(scene, new)
    told = sorted(moment - began for moment in times_of_resets(sessions))
    assert told[0] > 1.4
    assert told[-1] < 3.5
    works(*other)


def test_who_is_ready_again_before_the_deadline_is_spared(scene, ambassador, old, new):
    ambassador.set(route(6379, OLD, NEW, pick=Pick.FIRST))
    session = reaches(scene, old)
    ambassador.execute(Drain(endpoint=OLD, deadline=0.5))
    ambassador.execute(Ready(endpoint=OLD))
    ambassador.execute(Drain(endpoint=OLD))
    session[0].settimeout(1.0)
    with pytest.raises(TimeoutError):
        session[0].recv(1)
    works(*session)


def test_a_session_is_listed_and_cut_by_its_id(scene, ambassador, old):
    ambassador.set(route(6379, OLD), route(5432, OLD, name="other"))
    one, other = reaches(scene, old), reaches(scene, old, 5432)
    listed = ambassador.execute(Sessions("redis"))
    (view,) = listed.sessions
    (known,) = ambassador.execute(Status("redis")).routes
    assert (known.open, known.endpoints[0].open) == (1, 1)
    assert view.client.endswith(f":{one[0].getsockname()[1]}")
    assert (view.endpoint, view.route) == (OLD, "redis")
    assert (view.plane, view.state, listed.total) == (ambassador.plane, "open", 1)
    assert ambassador.execute(Cut(session=view.id)).sessions == 1
    times_of_resets([one])
    works(*other)
    until(lambda: ambassador.execute(Sessions()).total == 1)


def test_a_cut_at_a_rate_takes_its_time(scene, ambassador, old):
    ambassador.set(route(6379, OLD))
    sessions = [reaches(scene, old) for _ in range(6)]
    began = time.monotonic()
    assert ambassador.execute(Cut("redis", rate=5)).sessions == 6
    told = sorted(moment - began for moment in times_of_resets(sessions))
    assert told[0] < 0.7
    assert 0.9 < told[-1] < 2.5


def test_an_endpoint_that_has_left_can_still_be_cut(scene, ambassador, old, new):
    ambassador.set(route(6379, OLD))
    session = reaches(scene, old)
    ambassador.execute(Move("redis", (f"tcp://{NEW}",)))
    other = reaches(scene, new)
    assert {one.state for one in ambassador.execute(Sessions()).sessions} == {"open", "leaving"}
    assert ambassador.execute(Cut(endpoint=f"tcp://{OLD}")).sessions == 1
    times_of_resets([session])
    works(*other)


def test_routes_come_and_go_at_run_time(scene, ambassador, old, new):
    ambassador.set(route(6379, OLD))
    ambassador.execute(Add((f"DB_PORT_5432_TCP=tcp://{NEW}",)))
    session = reaches(scene, new, 5432)
    ambassador.execute(Remove("redis"))
    with pytest.raises(ConnectionRefusedError):
        scene.dial("bridge", 6379)
    works(*session)
    ambassador.execute(Reset("redis"))
    reaches(scene, old)
    ambassador.execute(Remove("db"))
    with pytest.raises(ConnectionRefusedError):
        scene.dial("bridge", 5432)


def test_a_reload_keeps_what_the_operator_wants(scene, ambassador, old, new):
    first = route(6379, OLD)
    ambassador.set(first)
    ambassador.execute(Move("redis", (f"tcp://{NEW}",)))
    ambassador.set(first, route(5432, OLD, name="other"))
    reaches(scene, new)
    reaches(scene, old, 5432)
    (view,) = ambassador.execute(Status("redis")).routes
    assert view.differs.startswith("moved by ann at ")
    assert view.differs.endswith(f"says tcp://{OLD}")
    assert (view.changed.who, view.changed.what) == ("ann", f"redis moved to {NEW}")
    ambassador.execute(Reset("redis"))
    reaches(scene, old)


def test_datagrams_of_new_flows_are_held_and_old_flows_go_on(scene, ambassador):
    endpoint = scene.datagrams("old")
    ambassador.set(route(53, "10.77.0.4:7053", name="dns", proto=Proto.UDP))
    one = scene.dial("bridge", 53, kind=socket.SOCK_DGRAM)

    def answered(sock):
        sock.send(b"?")
        data, back = endpoint.recvfrom(8)
        endpoint.sendto(data, back)
        return sock.recv(8) == b"?"

    assert answered(one)
    ambassador.execute(Hold("dns"))
    assert answered(one)
    other = scene.dial("bridge", 53, kind=socket.SOCK_DGRAM)
    for number in range(3):
        other.send(b"%d" % number)
    until(lambda: ambassador.status("dns").held == 1)
    assert answered(one)
    ambassador.execute(Release("dns"))
    assert [endpoint.recv(8) for _ in range(3)] == [b"0", b"1", b"2"]


def test_a_flow_stays_with_a_drained_endpoint(scene, ambassador):
    old, new = scene.datagrams("old"), scene.datagrams("new")
    ends = ("10.77.0.4:7053", "10.77.0.5:7053")
    ambassador.set(route(53, *ends, name="dns", proto=Proto.UDP, pick=Pick.FIRST))

    def answered_by(sock, endpoint):
        sock.send(b"?")
        data, back = endpoint.recvfrom(8)
        endpoint.sendto(data, back)
        return sock.recv(8) == b"?"

    one = scene.dial("bridge", 53, kind=socket.SOCK_DGRAM)
    assert answered_by(one, old)
    ambassador.execute(Drain("dns", "10.77.0.4:7053"))
    assert answered_by(scene.dial("bridge", 53, kind=socket.SOCK_DGRAM), new)
    assert answered_by(one, old)


def test_who_reads_while_a_route_comes_and_goes_meets_it_or_not_but_nothing_between(
    scene, ambassador, plane, old
):
    """As `status` and /metrics are read all the time: also by name, in the middle of a change."""
    ambassador.set(route(6379, OLD), route(6380, OLD, name="other"))
    seen, failed = set(), []

    async def read(reconciler):
        while not failed:
            try:
                await asyncio.sleep(0)
                await reconciler.measure()
                told = [(one.route.name, one.plane) for one in reconciler.status()]
                seen.add(tuple(sorted(told)))
                view = await reconciler.execute(Status("redis"))
                seen.add(tuple(one.plane for one in view.routes))
            except NotFoundError:
                seen.add("absent")
            except Exception as error:
                failed.append(error)

    reading = [ambassador.start(read) for _ in range(3)]
    try:
        for _ in range(10):
            ambassador.execute(Remove("redis"))
            ambassador.execute(Reset("redis"))
    finally:
        failed.append("enough")
        for one in reading:
            one.result(10)
    assert failed == ["enough"]
    both = (("other", plane), ("redis", plane))
    assert seen <= {both, both[:1], (plane,), "absent"}
    assert {both, both[:1]} <= seen
