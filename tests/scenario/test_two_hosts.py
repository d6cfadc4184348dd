"""The page's two hosts with a secret hop between them, and somebody who listens on the wire."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading

import pytest

from tests.netns import Network
from tests.program import COMMAND, Program, clean_environ
from tests.relay.peers import read_exactly
from tests.wait import until

R = "REDIS_PORT_6379_TCP"
ALL = 3  # ETH_P_ALL of linux/if_ether.h
SECRET = b"the-password-nobody-may-read"


@pytest.fixture
def network():
    network = Network()
    yield network
    network.close()


class Capture:
    """All frames that cross the bridge between the hosts."""

    def __init__(self, network: Network) -> None:
        self.frames = bytearray()
        kind = socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL)
        self._sock = network.host.call(socket.socket, *kind)
        self._sock.settimeout(0.1)
        self._over = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over = True
        self._thread.join(5)
        self._sock.close()

    def _read(self) -> None:
        while not self._over:
            try:
                self.frames += self._sock.recv(65536)
            except TimeoutError:
                continue


def speak(network: Network, port: int) -> None:
    """Set a value and read it, as a consumer that knows of nothing."""
    with network.client.call(socket.create_connection, ("127.0.0.1", port), 10) as sock:
        value = b"$%d\r\n%s\r\n" % (len(SECRET), SECRET)
        sock.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n" + value)
        assert read_exactly(sock, 5) == b"+OK\r\n"
        sock.sendall(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n")
        assert read_exactly(sock, len(value)) == value


@pytest.mark.root
def test_nothing_that_is_said_can_be_read_between_the_hosts(network, tmp_path):
    if not shutil.which("redis-server"):
        pytest.skip("needs Redis: ./dev test")
    pair = (*COMMAND, "pair", "big-server", "client-server", "--out", str(tmp_path))
    subprocess.run(pair, env=clean_environ(), check=True, capture_output=True)
    redis = network.old.start(
        *("redis-server", "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)),
        stdout=subprocess.DEVNULL,
    )
    far = Program(
        net=network.old,
        AMBASSADOR_IDENTITY=str(tmp_path / "big-server.pem"),
        **{R: "tcp://127.0.0.1:6379", f"{R}_LISTEN": "tls://10.77.0.4:6379"},
        PLAIN_PORT_6380_TCP="tcp://127.0.0.1:6379",
    )
    near = Program(
        net=network.client,
        AMBASSADOR_IDENTITY=str(tmp_path / "client-server.pem"),
        **{R: "tls://10.77.0.4:6379"},
        PLAIN_PORT_6380_TCP="tcp://10.77.0.4:6380",
    )
    try:
        with far.started(), near.started():
            capture = Capture(network)
            speak(network, 6379)
            seen = bytes(capture.frames)
            speak(network, 6380)  # in clear: the capture would have shown it
            until(lambda: SECRET in capture.frames)
            capture.close()
    finally:
        redis.kill()
        redis.wait()
    assert b"\x17\x03\x03" in seen  # TLS carries data
    for word in (SECRET, b"SET\r\n", b"GET\r\n", b"+OK\r\n"):
        assert word not in seen
