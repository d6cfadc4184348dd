"""Busy sessions move into processes of their own, and nobody but the operator can tell."""

import contextlib
import os
import signal
import time
import urllib.request
from pathlib import Path

import pytest

from ambassador.admin import client
from ambassador.core.commands import Cut, Sessions, Status
from tests.ports import free_port
from tests.program import Program
from tests.relay.peers import is_reset, read_exactly
from tests.wait import until

QUESTION = b"x" * 100
AT_ONCE = 50


class Busy:
    """An ambassador and two clients that never rest, until two processes carry them."""

    def __init__(self, peers, tmp_path):
        self.admin, self.metrics, self.port = tmp_path / "admin.sock", free_port(), free_port()
        self.program = Program(
            f"DB_PORT_{self.port}_TCP=tcp://127.0.0.1:{peers.echo().port}",
            "--workers=2",
            "--grace=0",
            "--outlive=0s",
            f"--metrics=127.0.0.1:{self.metrics}",
            AMBASSADOR_ADMIN=str(self.admin),
        ).started()
        self.asked = 0
        self.clients = [peers.connect(self.port) for _ in range(2)]

    def ask(self):
        """Have each client ask and be answered, some times over."""
        for _ in range(AT_ONCE):
            for sock in self.clients:
                sock.sendall(QUESTION)
            for sock in self.clients:
                assert read_exactly(sock, len(QUESTION)) == QUESTION
        self.asked += AT_ONCE * len(self.clients) * len(QUESTION)

    def count(self):
        """Return how many workers /metrics tells of."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=10) as page:
            (line,) = [one for one in page if one.startswith(b"ambassador_workers ")]
        return float(line.split()[1])

    def carriers(self):
        """Return the processes that the ambassador has started, by their folders in /proc."""
        pid = self.program.process.pid
        numbers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [Path("/proc", number) for number in numbers]

    def hang_up(self):
        for sock in self.clients:
            sock.close()

    def hand_over(self):
        def handed():
            self.ask()
            return [_connections(one) for one in self.carriers()] == [2, 2]

        until(handed, 20)


def _connections(process):
    """Return how many connections of TCP a process has: two for each session."""
    inodes = set()
    for one in (process / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it is just starting: files come and go
            inodes.add(str(one.readlink()).removeprefix("socket:[").removesuffix("]"))
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in (process / "net" / name).read_text().splitlines()[1:]
    ]
    return sum(row[3] == "01" and row[9] in inodes for row in rows)


@pytest.fixture
def busy(peers, tmp_path):
    busy = Busy(peers, tmp_path)
    with busy.program:
        yield busy
        busy.hang_up()


def test_the_numbers_are_whole_and_every_command_reaches_them(busy):
    assert busy.count() == 0
    busy.hand_over()
    busy.ask()
    assert busy.count() == 2
    (route,) = client.ask(busy.admin, Status()).routes
    assert (route.open, route.opened) == (2, 2)
    assert (route.to_upstream, route.to_client) == (busy.asked, busy.asked)
    listed = client.ask(busy.admin, Sessions()).sessions
    assert [one.to_client for one in listed] == [busy.asked // 2] * 2
    client.ask(busy.admin, Cut(session=listed[0].id))
    assert is_reset(busy.clients.pop(0))
    busy.ask()


def test_they_end_with_the_stop(busy):
    busy.hand_over()
    carriers = busy.carriers()
    assert busy.program.stop() == 0
    assert all(is_reset(sock) for sock in busy.clients)
    assert not any(one.exists() for one in carriers)


def test_one_that_is_killed_resets_its_sessions(busy):
    busy.hand_over()
    for carrier in busy.carriers():
        os.kill(int(carrier.name), signal.SIGKILL)
    assert all(is_reset(sock) for sock in busy.clients)


def test_they_outlive_a_kill_and_end_with_their_sessions(busy):
    busy.hand_over()
    carriers = busy.carriers()
    busy.program.process.kill()
    busy.program.process.wait(10)
    busy.ask()
    busy.hang_up()
    until(lambda: not any(_runs(one) for one in carriers))


def _runs(process):
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_one_that_stands_still_gets_no_sessions_and_those_it_has_can_be_cut(busy, peers):
    busy.hand_over()
    still = busy.carriers()[0]
    os.kill(int(still.name), signal.SIGSTOP)
    try:
        until(lambda: (still / "stat").read_text().rpartition(")")[2].split()[0] == "T")
        fresh = [peers.connect(busy.port) for _ in range(4)]
        began = time.monotonic()
        while time.monotonic() < began + 2:  # long enough to be handed to a worker
            for sock in fresh:
                sock.sendall(QUESTION)
            for sock in fresh:
                assert read_exactly(sock, len(QUESTION)) == QUESTION
        assert client.ask(busy.admin, Cut(route="db")).sessions == 6
        assert all(is_reset(sock) for sock in (*fresh, *busy.clients))
        assert client.ask(busy.admin, Status()).routes[0].open == 0
    finally:
        os.kill(int(still.name), signal.SIGCONT)
