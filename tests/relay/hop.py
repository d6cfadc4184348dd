"""Two relays with TLS between them, a client and an endpoint in clear."""

from __future__ import annotations

import ssl

from ambassador.model import Tls
from ambassador.tls.keyring import Keyring
from tests.ports import free_port
from tests.relay.peers import port_of
from tests.relay.running import endpoint, route

__all__ = ["Hop", "secret_client"]


class Hop:
    """Two relays; `listening` is where the endpoint accepts, `front` where clients connect."""

    def __init__(self, start_relay, peers, big, client, near=None, far=None, who=()):
        self.peers = peers
        self.listening = peers.listen()
        self.front, self.middle = free_port(), free_port()
        self.far = start_relay(keyring=Keyring(big))
        self.near = start_relay(keyring=Keyring(client))
        self.far_route = route(self.middle, port_of(self.listening), tls=far or Tls(), peers=who)
        self.far.add(self.far_route)
        there = endpoint(self.middle, tls=near or Tls())
        self.near.add(route(self.front, there, connect=1.0))

    def session(self):
        client = self.peers.connect(self.front)
        return client, self.peers.accept(self.listening)


def secret_client(hop, bundle=None, context=None):
    """Return a TLS client of the far relay, by Python's own ssl."""
    context = context or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if bundle:
        context.load_cert_chain(bundle)
    return hop.peers.keep(context.wrap_socket(hop.peers.connect(hop.middle)))
