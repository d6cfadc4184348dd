"""docs/moving.md: its steps, typed as they stand there, under a client that counts."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import psycopg
import pytest
import redis

from ambassador.admin import client
from ambassador.core.commands import Status
from tests.ports import free_port
from tests.postgresqls import AS_NOBODY, PROGRAMS, Pair
from tests.program import COMMAND, Program, clean_environ, is_ready
from tests.wait import until

PAGE = Path(__file__).parents[2] / "docs" / "moving.md"

needs_redis = pytest.mark.skipif(
    not shutil.which("redis-server"), reason="needs redis-server: ./dev test as root"
)
needs_postgres = pytest.mark.skipif(not PROGRAMS, reason="needs PostgreSQL: ./dev test as root")
needs_nats = pytest.mark.skipif(
    not shutil.which("nats-server"), reason="needs nats-server: ./dev test as root"
)


def steps(title: str) -> list[str]:
    """Return what the page says to type under `title`."""
    section = PAGE.read_text().partition(f"## {title}")[2].partition("\n## ")[0]
    found = re.findall(r"^ {4,}((?:redis-cli|pg_ctl|ambassador) .*)$", section, re.M)
    return [line.strip() for line in found]


@pytest.fixture
def servers(tmp_path):
    """Start the old one and the new one."""
    ports = {name: free_port() for name in ("old", "new")}
    running = [
        subprocess.Popen(
            ["redis-server", "--port", str(port), "--save", "", "--dir", str(tmp_path)],
            stdout=subprocess.DEVNULL,
        )
        for port in ports.values()
    ]
    for port in ports.values():
        until(lambda port=port: answers(port), 20)
    yield ports
    for one in running:
        one.kill()
        one.wait()


def answers(port: int) -> bool:
    try:
        return bool(redis.Redis(port=port).ping())
    except redis.ConnectionError:
        return False


def takes_connections(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 20).close()
        return True
    return False


def typed(line: str, ports: dict[str, int], admin: Path, pair: Pair | None = None) -> str:
    """Type a line, with the ports of this machine in the place of the page's two hosts, and the
    folders of `pair`.
    """
    line, _, seen = line.partition("  #")
    for name, port in ports.items():
        line = line.replace(f"-h {name} ", f"-p {port} ")
        line = line.replace(f"{name} 6379", f"127.0.0.1 {port}")
        line = re.sub(rf"//{name}:\d+", f"//127.0.0.1:{port}", line)
    words = line.split()
    command = [*COMMAND, *words[1:]] if words[0] == "ambassador" else words
    if pair is not None and words[0] == "pg_ctl":
        folder = str(pair.place(ports[words[2]]))
        command = [*AS_NOBODY, str(PROGRAMS[-1] / "pg_ctl"), "-D", folder, *words[3:]]
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_environ(AMBASSADOR_ADMIN=str(admin)),
    )
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    word = " ".join(seen.split()[:2])  # what comes after it is of the moment
    assert seen.startswith(" master_link") or word in done.stdout, (line, done.stdout)
    return done.stdout


@needs_redis
def test_the_steps_of_a_redis_lose_nothing_and_refuse_nobody(servers, tmp_path):
    admin, port, ends = tmp_path / "admin.sock", free_port(), threading.Event()
    acknowledged, errors = [0], []

    def count() -> None:
        while not ends.is_set():
            try:
                with redis.Redis(port=port, socket_timeout=30, retry=None) as one:
                    while not ends.is_set():
                        acknowledged[0] = one.incr("visits")
                        ends.wait(0.001)
            except redis.ConnectionError as error:
                if "refused" in str(error):
                    errors.append(error)
            except redis.RedisError as error:
                errors.append(error)

    assignment = f"REDIS_PORT_{port}_TCP=tcp://127.0.0.1:{servers['old']}"
    with Program(assignment, AMBASSADOR_ADMIN=str(admin)):
        until(lambda: is_ready(admin), 30)
        counting = threading.Thread(target=count)
        counting.start()
        try:
            replicate, look, *others = steps("A Redis")
            typed(replicate, servers, admin)
            until(lambda: "master_link_status:up" in typed(look, servers, admin), 30)
            for line in others:
                typed(line, servers, admin)
            new = redis.Redis(port=servers["new"])
            before = int(new.get("visits"))
            until(lambda: int(new.get("visits")) > before, 20, "counted at the new one")
        finally:
            ends.set()
            counting.join()
        (route,) = client.ask(admin, Status()).routes
        assert route.hold is None
        assert errors == []
        assert int(new.get("visits")) >= acknowledged[0]


@needs_postgres
@pytest.mark.root
def test_the_steps_of_a_postgresql_lose_nothing_and_refuse_nobody(tmp_path):
    admin, port, ends = tmp_path / "admin.sock", free_port(), threading.Event()
    first = free_port(2)
    ports = {"old": first, "new": first + 1}
    pair = Pair(None, (first, first + 1))
    acknowledged, refused = [0], []

    def count() -> None:
        where = {"host": "127.0.0.1", "port": port, "user": "admin", "dbname": "postgres"}
        while not ends.is_set():
            try:
                with psycopg.connect(**where, autocommit=True, connect_timeout=30) as one:
                    while not ends.is_set():
                        one.execute("insert into visits values (%s)", (acknowledged[0] + 1,))
                        acknowledged[0] += 1
                        ends.wait(0.001)
            except psycopg.OperationalError as error:
                if "refused" in str(error):
                    refused.append(error)
                ends.wait(0.01)

    try:
        pair.sql(first, "create table visits (number bigint)")
        assignment = f"DB_PORT_{port}_TCP=tcp://127.0.0.1:{first}"
        with Program(assignment, AMBASSADOR_ADMIN=str(admin)):
            until(lambda: is_ready(admin), 30)
            counting = threading.Thread(target=count)
            counting.start()
            try:
                until(lambda: acknowledged[0] > 10, 20)
                for line in steps("A PostgreSQL"):
                    typed(line, ports, admin, pair)
                before = acknowledged[0]
                until(lambda: acknowledged[0] > before, 30, "counted at the new one")
            finally:
                ends.set()
                counting.join()
        assert refused == []
        found = set(map(int, pair.sql(first + 1, "select number from visits").split()))
        assert set(range(1, acknowledged[0] + 1)) <= found
    finally:
        pair.close()


class Nats:
    """A client of a NATS, as far as it is needed here; `server` is the port it says it has."""

    def __init__(self, port: int) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), 20)
        self._lines = self._sock.makefile("rb")
        self.server = json.loads(self._lines.readline().removeprefix(b"INFO "))["port"]
        self.say('CONNECT {"verbose":false}')

    def say(self, text: str) -> None:
        """Say something, and have it heard."""
        self._sock.sendall(f"{text}\r\nPING\r\n".encode())
        while self._lines.readline() != b"PONG\r\n":
            pass

    def message(self) -> bytes:
        """Return the next message."""
        while not self._lines.readline().startswith(b"MSG "):
            pass
        return self._lines.readline().strip()

    def close(self) -> None:
        self._lines.close()
        self._sock.close()


@needs_nats
def test_the_steps_of_a_broker_let_its_subscribers_be(tmp_path):
    admin, port = tmp_path / "admin.sock", free_port()
    ports = {name: free_port() for name in ("old", "new")}
    running = [
        subprocess.Popen(("nats-server", "--addr", "127.0.0.1", "--port", str(one)), stderr=-3)
        for one in ports.values()
    ]
    try:
        for one in ports.values():
            until(lambda one=one: takes_connections(one), 20)
        assignment = f"BROKER_PORT_{port}_TCP=tcp://127.0.0.1:{ports['old']}"
        with Program(assignment, AMBASSADOR_ADMIN=str(admin)):
            until(lambda: is_ready(admin), 30)
            subscribed = Nats(port)
            subscribed.say("SUB news 1")
            move, look = steps("A broker")
            typed(move, ports, admin)
            assert f"127.0.0.1:{ports['old']}" in typed(look.partition("  #")[0], ports, admin)
            after, publisher = Nats(port), Nats(ports["old"])
            assert (subscribed.server, after.server) == (ports["old"], ports["new"])
            publisher.say("PUB news 5\r\nhello")
            assert subscribed.message() == b"hello"
            for one in (subscribed, after, publisher):
                one.close()
    finally:
        for process in running:
            process.kill()
            process.wait()
