"""Each reason for which somebody does not come in has a counter of its own, and is in the docs."""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from ambassador.core.proxy.header import SIGNATURE, Header
from ambassador.core.proxy.writing import write
from ambassador.model import Limit, Rate, Reason, Tls
from ambassador.planes.relay import greeting
from ambassador.sources.networks import NetworkLists
from ambassador.tls.keyring import Keyring
from tests.ports import free_port
from tests.relay.peers import read_exactly
from tests.relay.running import route
from tests.wait import until

LINE = b"PROXY TCP4 10.1.2.3 192.168.0.11 40312 443\r\n"
WRONG_SUM = write(2, Header(("10.1.2.3", 1), ("10.0.0.1", 2), unique_id=b"x"))[:-1] + b"?"
SENDERS = {"proxy": ("0.0.0.0/0", "::/0")}
# Of each reason how the route is told to refuse, and what is said to it, by one client each; the
# first comes in where several come.
SAID = {
    Reason.DENIED: ({"deny": ("127.0.0.0/8",)}, [b""]),
    Reason.LIMIT: ({"limit": Limit(1)}, [b"in", b""]),
    Reason.LIMIT_CLIENT: ({"limit_client": Limit(1)}, [b"in", b""]),
    Reason.RATE: ({"rate": Rate(1, 60.0)}, [b"in", b""]),
    Reason.BANNED: ({"limit_client": Limit(1), "ban": Rate(1, 60.0)}, [b"in", b"", b""]),
    Reason.HANDSHAKE: ({"tls": Tls()}, [b"PING\r\n"]),
    Reason.PROXY_SENDER: ({"proxy": ("127.0.0.2",)}, [b""]),
    Reason.PROXY_MALFORMED: (SENDERS, [b"PING\r\n"]),
    Reason.PROXY_LONG: (SENDERS, [SIGNATURE + b"\x21\x11\xff\xff"]),
    Reason.PROXY_CRC: (SENDERS, [WRONG_SUM]),
    Reason.PROXY_CUT: (SENDERS, [LINE[:9]]),
    Reason.PROXY_SLOW: (SENDERS, [LINE[:9]]),
}

# Workers carry none of them from the first byte on.
pytestmark = pytest.mark.parametrize("loop_factory", ["uvloop"], indirect=True)


def test_every_reason_has_a_counter_of_its_own(start_relay, peers, identities, monkeypatch):
    monkeypatch.setattr(greeting, "WITHIN", 0.3)
    big, _ = identities.pair()
    relay, echo, lists = start_relay(keyring=Keyring(big)), peers.echo(), NetworkLists()

    def listen(reason, options):
        there = route(port := free_port(), echo.port, name=reason.value, **options)
        relay.add(lists(there))
        return port

    for reason, (options, said) in SAID.items():
        port = listen(reason, options)
        for number, data in enumerate(said):
            client = peers.keep(socket.socket())
            with suppress(OSError):  # it is refused before it has said all
                client.connect(("127.0.0.1", port))
                client.sendall(data)
                if reason is Reason.PROXY_CUT:
                    client.shutdown(socket.SHUT_WR)
            if data == b"in":
                assert read_exactly(client, 2) == b"in"
            elif number:  # counted before the next one comes
                until(lambda name=reason.value, number=number: _refused(relay, name) == number)

    port = listen(Reason.IDENTITY, {"tls": Tls(), "peers": ("nobody",)})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(identities.bundle("somebody"))
    with suppress(OSError):
        peers.keep(context.wrap_socket(peers.connect(port))).recv(1)

    for reason in (*SAID, Reason.IDENTITY):
        counted = {reason: 1}
        if reason is Reason.BANNED:
            counted[Reason.LIMIT_CLIENT] = 1
        until(lambda reason=reason, counted=counted: _turned_away(relay, reason) == counted)
    assert documented() == {reason.value for reason in (*SAID, Reason.IDENTITY)}


def _turned_away(relay, reason):
    return relay.status(reason.value).turned_away


def _refused(relay, name):
    return sum(relay.status(name).turned_away.values())


def documented():
    """The reasons that docs/metrics.md has."""
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    row = next(one for one in page.splitlines() if "`ambassador_clients_turned_away_total`" in one)
    return set(re.findall(r"`(\w+)`", row.split("which are among the refused")[1]))
