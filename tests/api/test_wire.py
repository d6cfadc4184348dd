"""The whole program under what is no request at all: it stays, answers, and forwards."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from pathlib import Path

import pytest

from tests.wait import until

PIECES = [
    b"GET ", b"POST ", b"HEAD ", b"/v1/status", b"/v1/move", b"/metrics", b" HTTP/1.1", b"\r\n",
    b"\r\n\r\n", b"\n", b"Host: x\r\n", b"Content-Length: 9\r\n",
    b"Content-Length: 99999999999\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n", b"Upgrade: websocket\r\n",
    b"Connection: upgrade\r\n", b"Content-Type: application/json\r\n", b"0\r\n\r\n",
    b"ffffffff\r\n",
    b'{"route":"web"}', b"[" * 999, b"a" * 5000, b"\x00" * 99, b"\xff\xfe", b"%00", b"?route=web&",
]  # fmt: skip


def memory(pid):
    """Return the resident memory of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def throw(address, seed, bearer, count):
    """Send `count` connections of rubbish, some of it behind a good token."""
    chance = random.Random(seed)
    for _ in range(count):
        with contextlib.suppress(OSError), socket.socket(address[0]) as sock:
            sock.settimeout(0.5)
            sock.connect(address[1])
            raw = b"".join(
                chance.choice(PIECES) if chance.random() < 0.9 else chance.randbytes(30)
                for _ in range(chance.randrange(1, 30))
            )
            if chance.random() < 0.5:
                raw = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n" + bearer + b"\r\n" + raw
            sock.sendall(raw)
            if chance.random() < 0.3:
                sock.recv(1000)


@pytest.mark.parametrize("place", ["api", "monitor", "admin"])
def test_rubbish_on_every_place(asked, place):
    bearer = b"Authorization: Bearer " + asked.token.encode() + b"\r\n"
    if place == "admin":
        address = (socket.AF_UNIX, str(asked.admin))
    else:
        address = (socket.AF_INET, ("127.0.0.1", getattr(asked, place)))
    before = memory(asked.program.process.pid)
    threads = [
        threading.Thread(target=throw, args=(address, seed, bearer, 100)) for seed in range(4)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert asked.forwards()
        threads[0].join(0.1)
    for thread in threads:
        thread.join()
    assert asked.program.process.poll() is None
    until(asked.forwards, what="it forwards as ever")
    assert memory(asked.program.process.pid) - before < 30


def test_many_who_say_nothing_keep_nobody_out_for_long(asked):
    crowd = [socket.create_connection(("127.0.0.1", asked.monitor), 5) for _ in range(200)]
    assert asked.forwards()
    for sock in crowd:
        sock.close()

    def answered():
        with socket.create_connection(("127.0.0.1", asked.monitor), 5) as sock:
            sock.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
            return sock.recv(100).startswith(b"HTTP/1.1 200")

    until(answered, what="it answers again")
