"""The program as a process: killed while it carries, and in front of a Redis that restarts."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time
from dataclasses import dataclass, field

import pytest

from tests.kernel.peers import listen
from tests.relay.echo import Echo
from tests.wait import until

ASSIGNMENT = "REDIS_PORT_6379_TCP=tcp://10.77.0.4:7000"
PLACE = ("10.77.0.2", 6379)


class Pinging:
    """Clients that send and expect back, one after the other, until they are told to stop."""

    def __init__(self, network, count):
        self.socks = [
            network.client.call(socket.create_connection, PLACE, 10) for _ in range(count)
        ]
        self.rounds = 0
        self.failures = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ping)
        self._thread.start()

    def _ping(self):
        while not self._stop.is_set():
            for number, sock in enumerate(self.socks):
                try:
                    sock.sendall(b"%4d" % number)
                    assert sock.recv(4, socket.MSG_WAITALL) == b"%4d" % number
                except (OSError, AssertionError) as error:
                    self.failures.append(error)
            self.rounds += 1

    def stop(self):
        self._stop.set()
        self._thread.join()
        for sock in self.socks:
            sock.close()


@pytest.fixture
def echo(network):
    listening = listen(network.old, 7000)
    echo = Echo(listening)
    yield echo
    echo.close()
    listening.close()


def test_killed_it_leaves_what_the_kernel_carries_running(network, echo, start_program):
    program = start_program("kernel", ASSIGNMENT)
    assert program.started["plane"] == "kernel"
    pinging = Pinging(network, 50)
    until(lambda: pinging.rounds > 1)
    program.kill()

    def goes_on():
        before = pinging.rounds
        until(lambda: pinging.rounds > before + 10)
        assert pinging.failures == []
        with network.client.call(socket.create_connection, PLACE, 10) as new:
            new.sendall(b"new")
            assert new.recv(3, socket.MSG_WAITALL) == b"new"

    goes_on()
    program = start_program("kernel", ASSIGNMENT)  # it takes over what the other left
    goes_on()
    program.kill()
    pinging.stop()


@dataclass
class Load:
    """Clients that connect, ask and leave, again and again."""

    served: int = 0
    refused: int = 0
    broken: int = 0  # accepted by the service, which then stopped
    longest: float = 0.0
    errors: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stop.is_set():
            began = time.monotonic()
            try:
                with socket.create_connection(PLACE, 10) as sock:
                    sock.sendall(b"PING\r\n")
                    answer = sock.recv(64)
            except ConnectionRefusedError:
                self.refused += 1
            except ConnectionResetError:
                self.broken += 1
            except OSError as error:
                self.errors.append(str(error))
            else:
                # Redis closes without an answer when it stops between accept and read, and says
                # -LOADING while it starts.
                self.served += answer == b"+PONG\r\n"
                self.broken += not answer
            self.longest = max(self.longest, time.monotonic() - began)


@pytest.mark.timeout(180)
def test_nobody_is_refused_while_redis_restarts_twenty_times(
    network, plane, tmp_path, record_property, start_program
):
    redis = shutil.which("redis-server")
    if redis is None:
        pytest.skip("needs redis-server: ./dev test")

    def start():
        process = network.old.start(
            *(redis, "--port", "7000", "--bind", "0.0.0.0", "--protected-mode", "no"),
            *("--save", "", "--dir", str(tmp_path), "--logfile", str(tmp_path / "redis.log")),
        )
        until(lambda: _answers(network), what="Redis is up")
        return process

    service = start()
    program = start_program(plane, ASSIGNMENT)
    assert program.started["plane"] == plane
    load = Load()
    threads = [
        threading.Thread(target=network.client.call, args=(load.run,), daemon=True)
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for _ in range(20):
        before = load.served
        until(lambda: load.served > before + 200, within=15)  # noqa: B023
        service.terminate()
        service.wait(10)
        service = start()
    before = load.served
    until(lambda: load.served > before + 100, within=15)
    load.stop.set()
    for thread in threads:
        thread.join()
    for name in ("served", "refused", "broken", "longest"):
        record_property(name, getattr(load, name))
    assert load.errors == []
    assert load.refused == 0
    assert load.longest < 5.0
    assert load.broken <= 20 * len(threads)


def _answers(network) -> bool:
    with contextlib.suppress(OSError):
        where = (network.address("old"), 7000)
        with network.old.call(socket.create_connection, where, 1) as sock:
            sock.sendall(b"PING\r\n")
            return sock.recv(64) == b"+PONG\r\n"
    return False
