"""Whatever a client says to a listener that speaks TLS is refused or waited for, and no crash."""

import os
import random
import socket
from contextlib import closing, suppress

import pytest

from ambassador.model import Tls
from ambassador.tls.bundle import load
from ambassador.tls.contexts import for_clients, for_endpoint
from ambassador.tls.stream import TlsSocket
from tests.identities import Identities
from tests.property.spoilt import hellos, spoilt

FUZZED = int(os.environ.get("AMBASSADOR_FUZZED", "3000"))  # inputs
_MET = 50  # of so many inputs one comes behind a handshake


@pytest.fixture
def contexts(tmp_path):
    big, client = (load(one) for one in Identities(tmp_path).pair())
    return for_clients(Tls(oldest="1.2"), big), for_endpoint(Tls(oldest="1.2"), client, named=False)


def test_whatever_a_client_says_is_refused_or_waited_for(contexts):
    server, client = contexts
    chance = random.Random(20261130)
    seeds = hellos()
    counts = {"refused": 0, "waits": 0, "after": 0}
    for number in range(FUZZED):
        ours, theirs = socket.socketpair()
        far = TlsSocket(ours, server, accepts=True)
        far.hello = b""
        with closing(far), closing(theirs):
            if number % _MET == 0:
                _met(far, theirs, client, chance, seeds)
                counts["after"] += 1
                continue
            theirs.sendall(spoilt(chance.choice(seeds), seeds, chance, b"\x16"))
            if chance.randrange(2):
                theirs.shutdown(socket.SHUT_WR)
            try:
                assert not far.handshake()
                counts["waits"] += 1
            except OSError:
                counts["refused"] += 1
            assert far.shaking  # nobody has come in
    assert counts["refused"] > FUZZED / 4
    assert counts["waits"] > FUZZED / 20


def _met(far, theirs, client, chance, seeds):
    """Say nonsense behind a handshake: what is read is what was said before, or a reset."""
    near = TlsSocket(theirs.dup(), client, accepts=False)
    with closing(near):
        while near.shaking or far.shaking:
            for one in (near, far):
                if one.shaking:
                    one.handshake()
        near.send(b"said before")
        record = chance.choice((b"\x17\x03\x03\0\x20", b"\x15\x03\x03\0\x02", b""))
        with suppress(OSError):
            theirs.sendall(record + spoilt(chance.choice(seeds), seeds, chance, b"\x16"))
        theirs.shutdown(socket.SHUT_WR)
        found, room = b"", bytearray(1000)
        with suppress(OSError):
            while count := far.recv_into(room):
                found += room[:count]
        assert found == b"said before"
        assert far.failure
