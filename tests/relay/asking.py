"""A client that asks by datagrams, and the service that answers."""

from __future__ import annotations

from ambassador.model import Proto
from tests.relay.running import route

__all__ = ["LOCAL", "exchange", "udp"]

LOCAL = "127.0.0.1"


def udp(port, *endpoints, **options):
    return route(port, *endpoints, proto=Proto.UDP, **options)


def exchange(client, port, service, question=b"question", answer=b"answer", *, host=LOCAL):
    """Send a question through the relay, answer it, and return the address the relay used."""
    client.sendto(question, (host, port))
    data, flow = service.recvfrom(65536)
    assert data == question
    service.sendto(answer, flow)
    assert client.recv(65536) == answer
    return flow
