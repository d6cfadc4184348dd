"""The table that the kernel deletes together with its process, as the kernel takes it."""

import subprocess

import pytest

from ambassador.planes.kernel.owner import Owner


@pytest.fixture
def owner(network):
    owner = Owner()
    yield owner
    owner.close()


def ruleset(network):
    return network.ambassador.run("nft", "list", "ruleset")


def test_it_marks_new_flows_to_this_host_and_goes_when_it_is_closed(network, owner):
    assert network.ambassador.call(owner.open)
    listed = ruleset(network)
    assert "flags owner" in listed
    assert listed.count("fib daddr type local ct label set 106") == 2
    assert listed.count("type nat hook") == 2
    owner.close()
    assert ruleset(network) == ""


def test_it_may_only_keep_the_hooks_of_translation(network, owner):
    assert network.ambassador.call(lambda: owner.open(alive=False))
    assert "type nat hook output" in ruleset(network)
    assert "label" not in ruleset(network)


def test_it_turns_without_a_moment_without_hooks(network, owner):
    network.ambassador.call(owner.open)
    for alive in (False, True, True):
        network.ambassador.call(lambda alive=alive: owner.turn(alive=alive))
        assert ruleset(network).count("type nat hook") == 2
        assert ("label set 106" in ruleset(network)) is alive


def test_nobody_else_can_take_it_away(network, owner):
    network.ambassador.call(owner.open)
    before = ruleset(network)
    network.ambassador.run("nft", "flush", "ruleset")
    assert ruleset(network) == before
    name = before.split()[2]
    with pytest.raises((AssertionError, RuntimeError, subprocess.CalledProcessError)):
        network.ambassador.run("nft", "delete", "table", "inet", name)
    assert ruleset(network) == before
