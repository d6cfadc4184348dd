"""Endpoints that are not there yet, or are somewhere else later."""

from __future__ import annotations

import time

import pytest

from .bed import resp
from .bed.command import until
from .bed.engine import Engine
from .bed.images import AMBASSADOR, REDIS


def run_ambassador(host: Engine, endpoint: str, *args: str) -> None:
    host.docker(
        *("run", "-d", "--name", "ambassador", *args),
        *("-e", f"REDIS_PORT_6379_TCP={endpoint}", AMBASSADOR),
    )


def address_in(host: Engine, network: str, name: str) -> str:
    return str(host.inspect(name)["NetworkSettings"]["Networks"][network]["IPAddress"])


def test_an_endpoint_may_be_absent_at_start_and_appear_later(near: Engine) -> None:
    near.docker("network", "create", "inner")
    run_ambassador(near, "tcp://redis:6379", "--network", "inner")
    address = address_in(near, "inner", "ambassador")
    assert resp.ask(near, "PING", address) == "gone"
    assert near.running("ambassador")

    near.docker("run", "-d", "--name", "redis", "--network", "inner", REDIS)
    resp.first_pong(near, address, within=15)


def test_a_client_is_served_whose_endpoint_appears_while_it_waits(near: Engine) -> None:
    near.docker("run", "-d", "--name", "redis", REDIS, "sleep", "600")
    run_ambassador(near, f"tcp://{near.container_address('redis')}:6379")
    address = near.container_address("ambassador")
    until(lambda: "redis  :6379 -> " in near.logs("ambassador"), "the route starts")
    with resp.session(near, address) as waiting:
        waiting.say("PING")
        until(lambda: "cannot reach" in near.logs("ambassador"), "its first try has failed")
        near.docker("exec", "-d", "redis", "redis-server", "--protected-mode", "no")
        assert waiting.hear() == "PONG"


def test_a_name_is_resolved_again_when_its_container_is_replaced(near: Engine) -> None:
    near.docker("network", "create", "inner")
    near.docker("run", "-d", "--name", "redis", "--network", "inner", REDIS)
    run_ambassador(near, "tcp://redis:6379", "--network", "inner")
    address, before = (address_in(near, "inner", name) for name in ("ambassador", "redis"))
    resp.first_pong(near, address)

    near.docker("rm", "-f", "redis")
    near.docker("run", "-d", "--name", "holder", "--network", "inner", REDIS, "sleep", "600")
    near.docker("run", "-d", "--name", "redis", "--network", "inner", REDIS)
    assert address_in(near, "inner", "holder") == before
    assert address_in(near, "inner", "redis") != before

    resp.first_pong(near, address, within=15)
    assert near.inspect("ambassador")["RestartCount"] == 0


def test_a_linked_container_is_followed_when_it_restarts_with_another_address(
    near: Engine,
) -> None:
    near.docker("run", "-d", "--name", "redis", REDIS)
    near.docker("run", "-d", "--link", "redis:redis", "--name", "ambassador", AMBASSADOR)
    address, before = (near.container_address(name) for name in ("ambassador", "redis"))
    resp.first_pong(near, address)
    assert "REDIS_PORT_6379_TCP=" in near.docker("exec", "ambassador", "env")

    near.docker("stop", "redis")
    near.docker("run", "-d", "--name", "holder", REDIS, "sleep", "600")
    near.docker("start", "redis")
    assert near.container_address("holder") == before
    assert near.container_address("redis") != before

    resp.first_pong(near, address, within=15)
    assert near.inspect("ambassador")["RestartCount"] == 0


@pytest.mark.parametrize("there", ["another service", "nobody"])
def test_an_address_that_is_another_container_s_is_left_soon(near: Engine, there: str) -> None:
    """Docker's DNS gives 600 s. Where another service answers there it is wrong for two seconds at
    most; where nobody does the name is asked for at once.
    """
    near.docker("network", "create", "--subnet", "10.99.0.0/24", "inner")
    for name in ("first", "second", "other"):
        idle = ("sleep", "600") if (name, there) == ("other", "nobody") else ()
        near.docker("run", "-d", "--name", name, REDIS, *idle)
        if not idle:
            resp.first_pong(near, near.container_address(name))
            resp.ask(near, f"SET who {name}", near.container_address(name))
    join = ("network", "connect", "--ip")
    near.docker(*join, "10.99.0.10", "--alias", "service", "inner", "first")
    run_ambassador(near, "tcp://service:6379", "--network", "inner")
    address = address_in(near, "inner", "ambassador")
    resp.first_pong(near, address)
    assert resp.ask(near, "GET who", address) == "first"

    near.docker("network", "disconnect", "inner", "first")
    near.docker(*join, "10.99.0.11", "--alias", "service", "inner", "second")
    near.docker(*join, "10.99.0.10", "inner", "other")
    began = wrong = time.monotonic()
    while time.monotonic() - began < 3:
        if resp.ask(near, "GET who", address) != "second":
            wrong = time.monotonic()
    assert resp.ask(near, "GET who", address) == "second"
    assert wrong - began < (2 if there == "another service" else 0.5)
