"""A route follows the primary of a set that a real Patroni manages on a real etcd."""

import shutil
import signal
import time

import pytest

from ambassador.admin import client
from ambassador.core.commands import Status
from ambassador.errors import RunError
from tests.netns import Namespace
from tests.patronis import POSTGRES, PROGRAMS, REST, Rows, Set
from tests.program import Program
from tests.wait import until

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not PROGRAMS, reason="needs PostgreSQL: ./dev test"),
    pytest.mark.skipif(shutil.which("etcd") is None, reason="needs etcd: ./dev test"),
]
AUTHORITY = f"patroni://127.0.0.1:{REST[0]},127.0.0.1:{REST[1]}"


@pytest.fixture(scope="module")
def net():
    return Namespace()


@pytest.fixture(scope="module")
def made(net):
    found = Set(net)
    try:
        found.begin()
        yield found
    finally:
        found.close()


@pytest.fixture
def patroni(made):
    until(made.whole, 90, "a primary and a replica")
    return made


def following(net, folder, **options):
    environ = {
        "DB_PORT_5432_TCP": "",
        "DB_PORT_5432_TCP_FOLLOW": AUTHORITY,
        "DB_PORT_5432_TCP_CONNECT": "15s",
        "AMBASSADOR_STATE": str(folder / "state"),
        "AMBASSADOR_ADMIN": str(folder / "admin"),
        "AMBASSADOR_PLANE": "relay",
        **{f"DB_PORT_5432_TCP_{key}": value for key, value in options.items()},
    }
    return Program(net=net, measured=False, **environ)


def leads_to(program, number, since=0):
    wanted = f"leads to 127.0.0.1:{POSTGRES[number]}:"
    until(lambda: any(wanted in one for one in program.said("primary")[since:]), 60, wanted)


def everywhere(patroni, rows, since):
    """Assert that each row that was acknowledged after `since` is at the primary."""
    known = {one for (one,) in patroni.sql(patroni.leader(), "select c from t")}
    assert {one for one, when in rows.acknowledged.items() if when > since} <= known


def switched_over(net, patroni, folder, **options):
    """Hand the lock over while rows are written; return how long that took."""
    leader = patroni.leader()
    with following(net, folder, **options) as program:
        leads_to(program, leader)
        rows = Rows(net, 5432)
        until(lambda: len(rows.acknowledged) > 20, 15)
        began, said = time.monotonic(), len(program.said("primary"))
        body = {"leader": f"n{leader}", "candidate": f"n{1 - leader}"}
        status = patroni.rest(leader, "/switchover", "POST", body)
        assert status == 200, patroni.said()
        leads_to(program, 1 - leader, said)
        until(lambda: rows.since(time.monotonic() - 0.5), 15)
        rows.stop()
        everywhere(patroni, rows, began)
        assert (rows.readonly, rows.refused) == (0, 0), program.events
        assert "secret" not in str(program.events)
        return rows.gap(began)


def test_what_is_wrong_is_said(net, patroni, tmp_path):
    leader = patroni.leader()
    with following(net, tmp_path, FOLLOW=f"{AUTHORITY},127.0.0.1:{POSTGRES[1 - leader]}"):
        until(lambda: "does not answer like a Patroni" in str(followed(tmp_path)), 15)
        leader_at = f"primary='127.0.0.1:{POSTGRES[leader]}'"
        until(lambda: leader_at in str(followed(tmp_path)), 15, leader_at)
    other = tmp_path / "other"
    other.mkdir()
    with Program(
        net=net,
        DB_PORT_5432_TCP=f"tcp://127.0.0.1:{POSTGRES[1 - leader]}",
        DB_PORT_5432_TCP_FOLLOW=AUTHORITY,
        AMBASSADOR_ADMIN=str(other / "admin"),
    ):
        until(lambda: "no endpoint of the route" in str(followed(other)), 15)


@pytest.mark.parametrize("user", ["admin", ""])
def test_a_switchover_loses_nothing_and_nobody_meets_a_read_only_server(
    net, patroni, tmp_path, user
):
    assert switched_over(net, patroni, tmp_path, **({"USER": user} if user else {})) < 15


def test_a_primary_that_is_killed_is_left_for_the_one_that_has_the_lock(net, patroni, tmp_path):
    leader = patroni.leader()
    with following(net, tmp_path, USER="admin") as program:
        leads_to(program, leader)
        rows = Rows(net, 5432)
        until(lambda: len(rows.acknowledged) > 20, 15)
        patroni.kill_postgres(leader)
        leads_to(program, 1 - leader)
        promoted = time.monotonic()
        until(lambda: rows.since(promoted + 0.1), 15)
        rows.stop()
        everywhere(patroni, rows, promoted)
        assert rows.readonly == 0, program.events


def test_a_frozen_patroni_stops_nobody_until_another_holds_the_lock(net, patroni, tmp_path):
    leader = patroni.leader()
    with following(net, tmp_path, USER="admin") as program:
        leads_to(program, leader)
        rows = Rows(net, 5432)
        until(lambda: len(rows.acknowledged) > 20, 15)
        began = time.monotonic()
        patroni.signal_patroni(leader, signal.SIGSTOP)
        try:
            until(lambda: time.monotonic() > began + 3, 10)
            assert len(program.said("primary")) == 1 and not program.said("primary_silent")
            assert rows.gap(began) < 1.5
            leads_to(program, 1 - leader)  # the one before goes on and takes writes
            promoted = time.monotonic()
            until(lambda: rows.since(promoted + 0.1), 15)
            rows.stop()
            everywhere(patroni, rows, promoted)
            assert rows.readonly == 0
        finally:
            patroni.signal_patroni(leader, signal.SIGCONT)


def test_while_etcd_is_out_nobody_meets_a_read_only_server(net, patroni, tmp_path):
    leader = patroni.leader()
    with following(net, tmp_path, USER="admin") as program:
        leads_to(program, leader)
        rows = Rows(net, 5432)
        until(lambda: len(rows.acknowledged) > 20, 15)
        patroni.kill_etcd()
        try:
            until(lambda: patroni.leader() is None, 60, "Patroni demotes")
        finally:
            patroni.start_etcd()
        until(lambda: patroni.leader() is not None, 60, "a primary again")
        back = time.monotonic()
        until(lambda: rows.since(back), 30)
        rows.stop()
        everywhere(patroni, rows, back)
        assert rows.readonly == 0, program.events


def test_with_failsafe_mode_all_goes_on_while_etcd_is_out(net, patroni, tmp_path):
    leader = patroni.leader()
    assert patroni.rest(leader, "/config", "PATCH", {"failsafe_mode": True}) == 200
    until(lambda: all(patroni.rest(one, "/failsafe") == 200 for one in (0, 1)), 30, "it is on")
    with following(net, tmp_path, USER="admin") as program:
        leads_to(program, leader)
        rows = Rows(net, 5432)
        until(lambda: len(rows.acknowledged) > 20, 15)
        before = told(program)
        began = time.monotonic()
        patroni.kill_etcd()
        try:
            # Without it Patroni would demote after its retry_timeout of 3 s.
            until(lambda: time.monotonic() > began + 8, 20)
            assert patroni.leader() == leader
            out = time.monotonic()
            until(lambda: rows.since(out), 15)
        finally:
            patroni.start_etcd()
        until(patroni.whole, 60)
        rows.stop()
        assert patroni.leader() == leader
        everywhere(patroni, rows, 0.0)
        assert told(program) == before
        assert (rows.readonly, rows.refused) == (0, 0), program.events
        assert rows.gap(began) < 1.5
    assert patroni.rest(leader, "/config", "PATCH", {"failsafe_mode": None}) == 200


def told(program):
    """Return all that was said of the primary."""
    return [one["message"] for one in program.events if one["event"].startswith("primary")]


def followed(folder):
    """Return what `status` has of the followed route, once it has something."""
    try:
        return client.ask(folder / "admin", Status()).routes[0].follow
    except (RunError, LookupError):  # it has just been started
        return None
