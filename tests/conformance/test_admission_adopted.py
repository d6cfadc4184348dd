"""Who may come in, when one ambassador comes after another in the kernel plane."""

from __future__ import annotations

import pytest

from tests.conformance.scene import Scene, ends_with_reset, works
from tests.conformance.test_admission import is_refused
from tests.wait import until


@pytest.fixture
def scene(network):
    """Without an ambassador: the namespace is for programs."""
    scene = Scene(network, None)
    # Where bridges obey the rules of their host (br_netfilter), this hides who a client is.
    network.host.run("nft", "delete", "table", "ip", "published")
    yield scene
    scene.close()


def test_the_next_ambassador_takes_over_what_one_that_was_killed_has_let_in(scene, start_program):
    old = scene.endpoint("old")
    several = "REDIS_PORT_6379_TCP=tcp://10.77.0.4:7000?weight=100,tcp://10.77.0.5:7000"
    name = "REDIS_PORT_6379_TCP_ALLOW"
    scene.endpoint("new")
    first = start_program("kernel", several, environ={name: "10.0.0.0/8,fd00::/8"})
    assert first.started["plane"] == "kernel"
    gone, gone_upstream = scene.session(old)
    stays, stays_upstream = scene.session(old, consumer="another host")
    first.kill()
    works(gone, gone_upstream)
    one = "REDIS_PORT_6379_TCP=tcp://10.77.0.4:7000"
    second = start_program("kernel", one, environ={name: "10.78.0.0/24"})
    assert second.started["plane"] == "kernel"
    assert ends_with_reset(gone)
    assert ends_with_reset(gone_upstream)
    works(stays, stays_upstream)
    assert is_refused(scene)
    text = scene.network.ambassador.run("nft", "list", "table", "inet", "ambassador")
    assert text.count("set let4_") == 1  # that of the one before is gone
    scene.network.ambassador.run("nft", "flush", "ruleset")
    until(lambda: "set let4_" in scene.network.ambassador.run("nft", "list", "ruleset"), 10)
    works(*scene.session(old, consumer="another host"))
    assert is_refused(scene)
    second.stop()
