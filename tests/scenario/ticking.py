"""A consumer that asks 1,000 times a second, in a process of its own, and its echo in another.

`python -m tests.scenario.ticking ECHO_PORT PORT` connects to PORT, behind which the echo on
ECHO_PORT is. For each line on stdin it writes the longest that an answer has taken since the last,
in seconds.
"""

from __future__ import annotations

import gc
import os
import select
import socket
import sys
import time

_EVERY = 0.001  # seconds


def echo(listening: socket.socket) -> None:
    """Return what comes, to one client."""
    sock, _ = listening.accept()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := sock.recv(64):
        sock.sendall(data)


def tick(sock: socket.socket) -> None:
    """Ask and answer until stdin ends."""
    longest = 0.0
    due = time.monotonic()
    while True:
        if select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            if not sys.stdin.readline():
                return
            sys.stdout.write(f"{longest}\n")
            sys.stdout.flush()
            longest = 0.0
            continue
        began = time.monotonic()
        sock.sendall(b"question")
        sock.recv(8, socket.MSG_WAITALL)
        longest = max(longest, time.monotonic() - began)
        due = max(due + _EVERY, began)


def main(echo_port: int, port: int) -> None:
    """Start both."""
    listening = socket.create_server(("127.0.0.1", echo_port))
    if os.fork() == 0:
        echo(listening)
        os._exit(0)
    listening.close()
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        gc.disable()
        tick(sock)
    os.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
