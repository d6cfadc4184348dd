"""The smallest Redis client, a program to run in a host's network: ADDRESS PORT [SECONDS].

It sends each line of its input over one connection and prints one line an answer, `gone` when
the connection ends or cannot be made. With SECONDS it knocks on new connections that long,
until a PONG comes, and prints when that was (CLOCK_MONOTONIC, seconds).
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from typing import BinaryIO, cast


def connect(address: str, port: int) -> BinaryIO:
    with socket.create_connection((address, port), timeout=20) as connection:
        return cast("BinaryIO", connection.makefile("rwb"))


def exchange(stream: BinaryIO, command: str) -> str:
    words = command.encode().split()
    sent = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
    stream.write(b"*%d\r\n%s" % (len(words), sent))
    stream.flush()
    line = stream.readline()
    if line.startswith(b"$") and line != b"$-1\r\n":
        return stream.read(int(line[1:]) + 2).decode().strip()
    return line.decode().strip().lstrip("+:") or "gone"


def knock(address: str, port: int, within: float) -> float:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), connect(address, port) as stream:
            if exchange(stream, "PING") == "PONG":
                return time.monotonic()
        time.sleep(0.002)  # as fine as a start is measured
    raise SystemExit(f"no PONG from {address}:{port} within {within:g} s")


def main(address: str, port: int, within: float = 0) -> None:
    if within:
        sys.stdout.write(f"{knock(address, port, within)}\n")
        return
    try:
        with connect(address, port) as stream:
            for line in sys.stdin:
                sys.stdout.write(exchange(stream, line) + "\n")
                sys.stdout.flush()
    except OSError:
        sys.stdout.write("gone\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *map(float, sys.argv[3:]))
