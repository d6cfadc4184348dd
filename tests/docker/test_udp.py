"""UDP between containers, and through a published port."""

from __future__ import annotations

import sys

from .bed.command import run, until
from .bed.engine import Engine
from .bed.images import AMBASSADOR

ECHO = """
import socket
echo = socket.socket(type=socket.SOCK_DGRAM)
echo.bind(("", 53))
while True:
    data, sender = echo.recvfrom(65536)
    echo.sendto(data.swapcase(), sender)
"""
# A connected socket takes an answer only from the address and port it spoke to.
ASK = """
import socket, sys
asker = socket.socket(type=socket.SOCK_DGRAM)
asker.settimeout(2)
asker.connect((sys.argv[1], int(sys.argv[2])))
asker.send(b"a" * int(sys.argv[3]))
print(asker.recv(65536) == b"A" * int(sys.argv[3]))
"""
LARGEST = 65507  # 65535 less the headers of IPv4 and UDP (RFC 768)


def test_a_link_to_udp_carries_the_largest_datagram_and_its_answer(near: Engine) -> None:
    near.docker(
        *("run", "-d", "--name", "echo", "--expose", "53/udp", "--entrypoint", "python3"),
        *("--user", "0", AMBASSADOR, "-c", ECHO),
    )
    near.docker(
        *("run", "-d", "--name", "ambassador", "--link", "echo:dns"),
        *("-p", "5353:53/udp", AMBASSADOR),
    )
    until(lambda: "dns  :53/udp" in near.logs("ambassador"), "the route starts")
    inner = (near.container_address("ambassador"), "53")
    for address, port in (inner, (str(near.address), "5353")):
        for size in ("1", str(LARGEST)):
            argv = near.inside(sys.executable, "-c", ASK, address, port, size)
            assert run(argv).stdout == "True\n"
