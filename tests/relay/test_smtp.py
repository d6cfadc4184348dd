"""A mail program in clear, and a real server that takes mail over TLS alone."""

from __future__ import annotations

import smtplib
import ssl
from types import SimpleNamespace

import pytest
from aiosmtpd.controller import Controller

from ambassador.model import Tls, Verify
from ambassador.tls.keyring import Keyring
from tests.identities import Identities
from tests.names import StaticResolver
from tests.ports import free_port
from tests.relay.peers import is_reset
from tests.relay.running import endpoint, route

# Workers carry no TLS.
pytestmark = pytest.mark.parametrize("loop_factory", ["uvloop"], indirect=True)


@pytest.fixture
def server(tmp_path):
    """A server whose certificate is of mail.example; `got` is what came by TLS."""
    identities, got = Identities(tmp_path), []

    class Handler:
        async def handle_DATA(self, _server, session, envelope):  # noqa: N802 (aiosmtpd's)
            got.append((session.ssl is not None, envelope.content))
            return "250 taken"

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identities.bundle("mail.example"))
    port = free_port()
    controller = Controller(
        Handler(), "127.0.0.1", port, require_starttls=True, tls_context=context
    )
    controller.start()
    yield SimpleNamespace(port=port, got=got, trusts=identities.bundle("client-server"))
    controller.stop()


@pytest.fixture
def start(start_relay, server):
    def start(name):
        names = StaticResolver(**{name: ("127.0.0.1",)})
        relay = start_relay(keyring=Keyring(server.trusts), resolver=names)
        there = endpoint(f"{name}:{server.port}", tls=Tls(Verify.SERVER, starttls="smtp"))
        relay.add(route(port := free_port(), there, connect=1.0))
        return relay, port

    return start


def test_mail_of_a_program_that_speaks_no_tls_arrives_by_tls(server, start):
    _, port = start("mail.example")
    for _ in range(2):  # the second is resumed
        with smtplib.SMTP("127.0.0.1", port, "consumer", timeout=10) as client:
            client.sendmail("a@example", ["b@example"], "Subject: x\r\n\r\nhello")
    assert [(tls, b"hello" in content) for tls, content in server.got] == [(True, True)] * 2


def test_a_server_of_another_name_gets_no_mail(server, start, peers):
    relay, port = start("other.example")
    assert is_reset(peers.connect(port))
    (met,) = relay.status().met.values()
    assert "Hostname mismatch" in met.error
    assert server.got == []
