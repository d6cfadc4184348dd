"""Clients of a held route."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ambassador.model import Hold
from tests.ports import free_port
from tests.relay.peers import port_of, read_exactly
from tests.relay.running import route
from tests.wait import until

HOLD = Hold(timeout=60.0, limit=1)


@pytest.fixture(params=["tcp", "unix"])
def place(request, tmp_path):
    """Where the route listens."""
    return free_port() if request.param == "tcp" else str(tmp_path / "demo.sock")


@pytest.fixture
def held(relay, peers, place):
    """A listening endpoint behind a route that has room for one client, and what releases it."""
    listening = peers.listen()
    free = route(place, port_of(listening))
    closed = replace(free, hold=HOLD)
    relay.add(closed)
    return listening, lambda: relay.change(closed, free)


def waits(relay, count=1):
    until(lambda: relay.status().held == count)


def test_a_release_leads_each_client_to_its_endpoint_once(relay, peers, place, held):
    """The change of the route looks at all sessions, also at those that are just connecting."""
    listening, release = held
    client = peers.connect(place)
    waits(relay)
    release()
    client.sendall(b"question")
    assert read_exactly(peers.accept(listening), 8) == b"question"
    listening.setblocking(False)
    with pytest.raises(BlockingIOError):
        listening.accept()
