"""Whatever comes at real listeners: each client is counted once, nothing that is no header or no
handshake is forwarded, nothing is left, and others come in after it. `./dev fuzz` sends a million.
"""

from __future__ import annotations

import logging
import os
import random
import socket
from collections import deque
from contextlib import closing, suppress

import pytest

from ambassador.core.proxy.reading import BadHeaderError, read
from ambassador.model import Reason, Tls
from tests.ports import free_port
from tests.property.spoilt import HEADERS, hellos, spoilt
from tests.relay.hop import Hop
from tests.relay.peers import read_exactly
from tests.relay.running import route
from tests.wait import until

FUZZED = int(os.environ.get("AMBASSADOR_FUZZED", "1000"))  # clients
_AT_ONCE = 50

# Workers carry none of them from the first byte on.
pytestmark = pytest.mark.parametrize("loop_factory", ["uvloop"], indirect=True)


def say(port, messages):
    """Connect for each message, say it, and end or, some later, reset the connection."""
    chance = random.Random(16)
    open_ = deque()
    for message in messages:
        client = socket.create_connection(("127.0.0.1", port), 20)
        open_.append(client)
        with suppress(OSError):  # it has been refused
            client.sendall(message)
            if chance.randrange(2):
                client.shutdown(socket.SHUT_WR)
        if len(open_) > _AT_ONCE:
            open_.popleft().close()
    for client in open_:
        client.close()


@pytest.mark.timeout(max(60, FUZZED // 50))
def test_whatever_comes_at_a_tls_listener_is_counted_and_goes_no_further(
    start_relay, peers, identities, caplog
):
    hop = Hop(start_relay, peers, *identities.pair(), far=Tls(oldest="1.2"))
    chance, seeds = random.Random(20261201), hellos()
    say(hop.middle, (spoilt(chance.choice(seeds), seeds, chance, b"\x16") for _ in range(FUZZED)))
    until(lambda: hop.far.status().turned_away == {Reason.HANDSHAKE: FUZZED}, 30)
    assert hop.far.status().opened == 0
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []
    client, upstream = hop.session()  # the first that the endpoint hears of
    client.sendall(b"x")
    assert read_exactly(upstream, 1) == b"x"


@pytest.mark.timeout(max(60, FUZZED // 50))
def test_whatever_comes_before_a_header_is_counted_and_goes_no_further(relay, peers, caplog):
    echo = peers.echo()
    relay.add(route(port := free_port(), echo.port, proxy=("0.0.0.0/0",)))
    chance, headers = random.Random(20261202), 0

    def messages():
        nonlocal headers
        for _ in range(FUZZED):
            message = spoilt(chance.choice(HEADERS), HEADERS, chance, b"P")
            with suppress(BadHeaderError):
                headers += read(message) is not None
            yield message

    say(port, messages())

    def all_counted():
        status = relay.status()
        return status.opened + sum(status.turned_away.values()) == FUZZED and not status.open

    until(all_counted, 30)
    status = relay.status()
    assert headers > FUZZED / 50
    assert status.opened <= headers
    assert {Reason.PROXY_MALFORMED, Reason.PROXY_CUT, Reason.PROXY_LONG} <= set(status.turned_away)
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []
    with closing(socket.create_connection(("127.0.0.1", port), 20)) as client:
        client.sendall(HEADERS[0] + b"PING")
        assert read_exactly(client, 4) == b"PING"
