"""A route follows sentinels: real ones, under writers that know each acknowledged write."""

import json
import signal
import socket
import subprocess
import time

import pytest

from tests.netns import Namespace
from tests.program import COMMAND, Program, clean_environ
from tests.sentinels import NAME, SENTINELS, SERVERS, Set, Writers, ask
from tests.wait import until

pytestmark = [pytest.mark.root, pytest.mark.timeout(120)]

HOST, FRONT = "10.9.0.2", "10.9.0.1"
ADDRESSES = ",".join(f"{HOST}:{port}" for port in SENTINELS)
LISTEN = 6379


@pytest.fixture(scope="module")
def front():
    """Another host, which forwards."""
    found = Namespace()
    found.sysctl(net__ipv4__ip_forward=1, net__ipv4__conf__all__send_redirects=0)
    return found


@pytest.fixture(scope="module")
def net(front):
    found = Namespace()
    front.join(found, [f"{FRONT}/24"], [f"{HOST}/24"])
    return found


@pytest.fixture(scope="module")
def redis(net, tmp_path_factory):
    found = Set(net, tmp_path_factory.mktemp("redis"), host=HOST)
    yield found
    found.close()


@pytest.fixture
def write(net, redis):
    """Start writers, which end with the test, with nothing of earlier ones."""
    ask(net, primary_of(redis), "UNLINK", "written")
    started = []

    def start(host="127.0.0.1"):
        started.append(Writers(net, (host, LISTEN)))
        return started[-1]

    yield start
    for writers in started:
        writers.stop()


def following(net, folder, *, arguments=(), **options):
    environ = {
        "REDIS_PORT_6379_TCP_FOLLOW": f"sentinel://{ADDRESSES}/{NAME}",
        "AMBASSADOR_ADMIN": str(folder / "admin.sock"),
        "AMBASSADOR_STATE": str(folder / "state"),
        "AMBASSADOR_PLANE": "relay",
        **{
            key if key.startswith("AMBASSADOR") else f"REDIS_PORT_6379_TCP_{key}": value
            for key, value in options.items()
        },
    }
    return Program(*arguments, net=net, measured=False, **environ)


def primary_of(redis):
    """Return the port of the one primary, once all agree."""

    def found():
        primaries = [port for port in SERVERS if redis.role(port) == "master"]
        same = len(primaries) == 1 and redis.named() == set(primaries)
        replicas = ask(redis.net, primaries[0], "ROLE") if same else None
        whole = isinstance(replicas, list) and len(replicas[2]) == 2
        return primaries[0] if whole else 0

    return until(found, 40, "one primary that all agree on")


def status(folder):
    """Return what is told of the route, once it is ready."""

    def asking():
        finished = subprocess.run(
            [*COMMAND, "status", "--json", f"--admin={folder}/admin.sock"],
            env=clean_environ(), capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        return finished.stdout if finished.returncode == 0 else ""

    return json.loads(until(asking, 15, "an answer on the admin socket"))["routes"][0]


def operate(folder, *words):
    """Do what an operator does."""
    subprocess.run(
        [*COMMAND, *words, f"--admin={folder}/admin.sock"],
        env=clean_environ(), capture_output=True, timeout=30, check=True,
    )  # fmt: skip


def promoted(redis, before):
    return until(
        lambda: next((p for p in SERVERS if p != before and redis.role(p) == "master"), 0), 20
    )


def lost(redis, writers, after):
    """Return what was sent after that moment, was acknowledged, and is not at the primary. Of what
    was sent before, nobody here can tell when it was acknowledged: a moment before, and this
    process had its turn a moment after.
    """
    members = redis.members(primary_of(redis))
    return [one for one in writers.acknowledged if writers.sent[one] > after and one not in members]


@pytest.mark.parametrize("promote", ["confirmed", "fast"])
def test_a_planned_failover_loses_nothing_and_refuses_nobody(net, redis, write, tmp_path, promote):
    before = primary_of(redis)
    with following(net, tmp_path, PROMOTE=promote) as program:
        program.wait_for("primary")
        writers = write()
        writers.wait_for_one(0.0)
        assert ask(net, SENTINELS[0], "SENTINEL", "FAILOVER", NAME) == "OK"
        after = promoted(redis, before)
        since = time.monotonic()
        writers.wait_for_one(since)
        until(lambda: len(program.said("primary")) >= 2, 10)
        writers.stop()
        assert lost(redis, writers, since) == []
        assert (writers.readonly, writers.refused) == (0, 0)
        view = status(tmp_path)
        assert view["follow"]["primary"] == f"{HOST}:{after}"
        assert "ROLE master" in view["follow"]["why"]
        assert view["follow"]["answering"] == 3
        assert [one["count"] for one in view["follow"]["changes"]] == [1]


def test_in_the_kernel_a_planned_failover_loses_nothing(front, net, redis, write, tmp_path):
    before = primary_of(redis)
    with following(front, tmp_path, AMBASSADOR_PLANE="kernel") as program:
        program.wait_for("primary")
        assert status(tmp_path)["plane"] == "kernel"
        writers = write(FRONT)
        writers.wait_for_one(0.0)
        assert ask(net, SENTINELS[0], "SENTINEL", "FAILOVER", NAME) == "OK"
        element = f"{HOST} . {before} . {LISTEN}"
        until(lambda: element in front.run("nft", "list", "ruleset"), 10, "flows are stopped")
        promoted(redis, before)
        since = time.monotonic()
        writers.wait_for_one(since)
        writers.stop()
        assert lost(redis, writers, since) == []
        assert (writers.readonly, writers.refused) == (0, 0)
        until(lambda: "stopped4" not in front.run("nft", "list", "ruleset"), 10, "no rule is left")


def test_a_frozen_sentinel_that_is_written_first_changes_nothing(net, redis, write, tmp_path):
    before = primary_of(redis)
    frozen = redis.processes[SENTINELS[0]]
    frozen.send_signal(signal.SIGSTOP)
    try:
        with following(net, tmp_path) as program:
            program.wait_for("primary")
            writers = write()
            writers.wait_for_one(0.0)
            assert ask(net, SENTINELS[1], "SENTINEL", "FAILOVER", NAME) == "OK"
            promoted(redis, before)
            since = time.monotonic()
            writers.wait_for_one(since)
            until(lambda: len(program.said("primary")) >= 2, 10)
            writers.stop()
            assert status(tmp_path)["follow"]["answering"] == 2
            assert (writers.readonly, writers.refused) == (0, 0)
    finally:
        frozen.send_signal(signal.SIGCONT)


def test_the_operator_stands_above_the_sentinels(net, redis, tmp_path):
    primary = primary_of(redis)
    other = next(port for port in SERVERS if port != primary)
    with following(net, tmp_path) as program:
        program.wait_for("primary")
        operate(tmp_path, "move", "redis", f"tcp://{HOST}:{other}")
        view = status(tmp_path)
        assert view["follow"]["decides"] == "operator"
        assert [one["endpoint"] for one in view["endpoints"]] == [f"tcp://{HOST}:{other}"]
        operate(tmp_path, "reset", "redis")
        view = until(lambda: status(tmp_path), 5)
        assert view["follow"]["decides"] == "sentinel"
        assert [one["endpoint"] for one in view["endpoints"]] == [f"tcp://{HOST}:{primary}"]
        operate(tmp_path, "hold", "redis")
        assert status(tmp_path)["why"].startswith("held by")
        operate(tmp_path, "release", "redis")
        assert ask(net, LISTEN, "PING") == "PONG"


def test_without_a_primary_clients_are_turned_away_where_that_is_wished(net, redis, tmp_path):
    with following(net, tmp_path, FOLLOW="sentinel://127.0.0.1:1", NONE="refuse") as program:
        program.wait_for("primary_lost")
        until(lambda: status(tmp_path), 10)
        # It may be reset before connect(2) has returned.
        with (
            pytest.raises(ConnectionResetError),
            net.call(socket.create_connection, ("127.0.0.1", LISTEN), 5) as sock,
        ):
            sock.recv(1)


def test_a_primary_that_is_killed_and_comes_back_gets_no_client(net, redis, write, tmp_path):
    before = primary_of(redis)
    with following(net, tmp_path) as program:
        program.wait_for("primary")
        writers = write()
        writers.wait_for_one(0.0)
        redis.processes[before].kill()
        redis.processes[before].wait()
        promoted(redis, before)
        since = time.monotonic()
        writers.wait_for_one(since)
        redis.start(before)
        until(lambda: redis.role(before) == "slave", 40, "it follows the new one")
        writers.stop()
        assert lost(redis, writers, since) == []
        assert (writers.readonly, writers.refused) == (0, 0)


def test_an_ambassador_that_is_killed_in_the_middle_follows_on_when_it_is_back(
    net, redis, write, tmp_path
):
    before = primary_of(redis)
    with following(net, tmp_path) as program:
        program.wait_for("primary")
        assert ask(net, SENTINELS[0], "SENTINEL", "FAILOVER", NAME) == "OK"
        program.wait_for("primary_lost")
        program.process.send_signal(signal.SIGKILL)
        program.process.wait()
    with following(net, tmp_path) as program:
        writers = write()
        promoted(redis, before)
        since = time.monotonic()
        program.wait_for("primary")
        until(lambda: status(tmp_path)["follow"]["primary"] != f"{HOST}:{before}", 20)
        writers.wait_for_one(time.monotonic())
        writers.stop()
        assert lost(redis, writers, since) == []
        assert writers.readonly == 0


def test_an_upgrade_leads_on_and_cuts_no_session(net, redis, tmp_path):
    primary_of(redis)
    with following(net, tmp_path) as program:
        program.wait_for("primary")
        kept = net.call(socket.create_connection, ("127.0.0.1", LISTEN), 10)
        kept.sendall(b"PING\r\n")
        assert kept.recv(100) == b"+PONG\r\n"
        with following(net, tmp_path, arguments=("--upgrade",)) as successor:
            successor.wait_for("primary")
            kept.sendall(b"PING\r\n")
            assert kept.recv(100) == b"+PONG\r\n"
            assert ask(net, LISTEN, "PING") == "PONG"
            kept.close()
            program.process.wait(20)


def test_an_upgrade_in_the_middle_of_a_failover_loses_nothing(net, redis, write, tmp_path):
    before = primary_of(redis)
    with following(net, tmp_path) as program:
        program.wait_for("primary")
        writers = write()
        writers.wait_for_one(0.0)
        assert ask(net, SENTINELS[0], "SENTINEL", "FAILOVER", NAME) == "OK"
        program.wait_for("primary_lost")
        with following(net, tmp_path, arguments=("--upgrade",)) as successor:
            promoted(redis, before)
            since = time.monotonic()
            successor.wait_for("primary")
            writers.wait_for_one(since)
            successor.wait_for("ready")
            writers.wait_for_one(time.monotonic())
            writers.stop()
            assert lost(redis, writers, since) == []
            assert (writers.readonly, writers.refused) == (0, 0)


def test_an_upgrade_goes_on_without_a_primary_where_nobody_waits(net, redis, tmp_path):
    options = {"FOLLOW": "sentinel://127.0.0.1:1"}
    with following(net, tmp_path, **options) as program:
        program.wait_for("primary_lost")
        until(lambda: status(tmp_path), 10)
        with following(net, tmp_path, arguments=("--upgrade",), **options):
            assert program.process.wait(20) == 0


@pytest.mark.parametrize(
    ("follow", "problem"),
    [
        (f"sentinel://{ADDRESSES}/other", "it knows mymaster"),
        (f"sentinel://127.0.0.1:{SERVERS[0]}/{NAME}", "it is a data server"),
        (f"sentinel://127.0.0.1:1,127.0.0.1:{SENTINELS[0]},127.0.0.1:2/{NAME}", "1 of 3 sentinels"),
    ],
)
def test_what_is_wrong_with_the_authority_is_said_in_status(net, redis, tmp_path, follow, problem):
    with following(net, tmp_path, FOLLOW=follow) as program:
        program.started()
        until(lambda: problem in str(status(tmp_path)["follow"]["problems"]), 10)
