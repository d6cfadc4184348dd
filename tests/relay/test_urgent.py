"""Urgent data (tcp(7), MSG_OOB) is passed on as data, and nothing behind it waits."""

from __future__ import annotations

import socket

import pytest

from tests.ports import free_port
from tests.relay.peers import port_of, read_exactly
from tests.relay.running import route


@pytest.mark.parametrize("direction", ["up", "down"])
def test_what_follows_an_urgent_byte_is_passed_on_with_it(relay, peers, direction):
    listening, port = peers.listen(), free_port()
    relay.add(route(port, port_of(listening)))
    client = peers.connect(port)
    upstream = peers.accept(listening)
    one, other = (client, upstream) if direction == "up" else (upstream, client)
    one.sendall(b"hello")
    assert read_exactly(other, 5) == b"hello"

    def all_at_once():  # on the relay's loop, which then finds all of it
        one.send(b"before")
        one.send(b"!", socket.MSG_OOB)
        one.send(b"behind")

    for _ in range(3):
        relay.call(all_at_once)
        assert read_exactly(other, 13) == b"before!behind"
