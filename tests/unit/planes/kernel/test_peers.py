"""Clients and endpoints, as evidence needs them."""

import asyncio
import socket

import pytest

from ambassador.planes.kernel.peers import answering, family_of


@pytest.mark.parametrize(
    ("client", "ipv6"),
    [
        (("10.0.0.9", 1), False),
        (("::ffff:10.0.0.9", 1, 0, 0), False),
        (("fd00::9", 1, 0, 0), True),
        (("127.0.0.1", 1), None),
        (("::1", 1, 0, 0), None),
        (("::ffff:127.0.0.1", 1, 0, 0), None),
        (("fe80::1%eth0", 1, 0, 2), None),
        ("", None),
    ],
)
def test_clients_the_kernel_never_leads_are_no_evidence(client, ipv6):
    assert family_of(client) is ipv6


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_is_asked_by_opening_a_connection(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listening:
        port = listening.getsockname()[1]
        assert asyncio.run(answering(host, port))
    assert not asyncio.run(answering(host, port))
