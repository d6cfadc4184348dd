"""Which of several addresses and endpoints a new connection goes to."""

from __future__ import annotations

import contextlib
import time
from collections import Counter

import pytest

from ambassador.model import Pick
from tests.conformance.ambassador import route
from tests.kernel.peers import listen
from tests.wait import until

OLD, NEW, NOBODY = "10.77.0.4", "10.77.0.5", "10.77.0.9"


@pytest.fixture
def tagging(scene, network):
    """Endpoints that say who they are: a letter for each client."""
    listening = {"o": listen(network.old, 7000), "n": listen(network.new, 7000)}
    for sock in listening.values():
        scene.keep(sock).setblocking(False)
    return listening


def asks(scene, listening, limit=10.0):
    """Connect once; return who got it, and after how many seconds."""
    began = time.monotonic()
    client = scene.dial("bridge", 6379)
    client.settimeout(0.05)

    def led():
        for name, sock in listening.items():
            with contextlib.suppress(BlockingIOError):
                sock.accept()[0].close()
                return name
        return ""

    name = until(led, limit)
    took = time.monotonic() - began
    client.close()
    return name, took


def test_every_address_of_a_name_gets_its_part(scene, ambassador, tagging):
    ambassador.resolve("app", OLD, NEW)
    ambassador.set(route(6379, "app:7000"))
    assert Counter(asks(scene, tagging)[0] for _ in range(20)) == {"o": 10, "n": 10}


def test_a_name_gets_no_more_for_having_more_addresses(scene, ambassador, tagging):
    ambassador.resolve("app", OLD, NEW)
    ambassador.set(route(6379, "app:7000", f"{OLD}:7000"))
    count = Counter(asks(scene, tagging)[0] for _ in range(40))
    assert count == {"o": 30, "n": 10}


def test_first_is_always_the_first_address(scene, ambassador, tagging):
    ambassador.resolve("app", NEW, OLD)
    ambassador.set(route(6379, "app:7000", pick=Pick.FIRST))
    assert Counter(asks(scene, tagging)[0] for _ in range(6)) == {"n": 6}


def test_a_silent_endpoint_keeps_few_waiting(scene, ambassador, network, tagging):
    network.ambassador.run(
        *("ip", "neighbour", "replace", NOBODY, "lladdr", "02:00:00:00:00:01", "dev"),
        *("eth0", "nud", "permanent"),
    )
    ambassador.set(route(6379, f"{OLD}:7000", f"{NOBODY}:7000"))
    until(lambda: asks(scene, {"o": tagging["o"]})[1] < 0.5, 20)
    waits = [asks(scene, {"o": tagging["o"]})[1] for _ in range(60)]
    assert sum(wait > 0.9 for wait in waits) <= 3
