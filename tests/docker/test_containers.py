"""Containers by name, with a real engine whose socket the image is given as its page says."""

from __future__ import annotations

import json
from pathlib import Path

from .bed import resp
from .bed.command import until
from .bed.engine import Engine
from .bed.images import AMBASSADOR, REDIS


def run_ambassador(host: Engine, *environ: str, group: bool = True, network: str = "inner") -> None:
    socket = f"{host.folder}/docker.sock"
    rights = ("--group-add", str(Path(socket).stat().st_gid)) if group else ()
    host.folder.chmod(0o711)  # as /var/run may be entered by everybody
    host.docker(
        *("run", "-d", "--name", "ambassador", "--network", network, *rights),
        *("-v", f"{host.folder}:/engine", "-e", "AMBASSADOR_DOCKER=unix:///engine/docker.sock"),
        *(part for one in environ for part in ("-e", one)),
        AMBASSADOR,
    )


def address_in(host: Engine, network: str, name: str) -> str:
    return str(host.inspect(name)["NetworkSettings"]["Networks"][network]["IPAddress"])


def status(host: Engine) -> dict[str, object]:
    text = host.docker("exec", "ambassador", "ambassador", "status", "--json")
    found: dict[str, object] = json.loads(text)
    return found


def checked(host: Engine) -> str:
    """Return what `check` says where it finds something wrong."""
    return host.client("exec", "ambassador", "ambassador", "check", ok=(2,)).stderr


def test_nobody_is_led_to_who_has_the_old_address_by_now(near: Engine) -> None:
    near.docker("network", "create", "--subnet", "10.98.0.0/24", "inner")
    near.docker("run", "-d", "--name", "redis", "--network", "inner", REDIS)
    run_ambassador(near, "REDIS_PORT_6379_TCP=docker://redis")
    address = address_in(near, "inner", "ambassador")
    resp.first_pong(near, address)
    for turn in range(3):
        before = address_in(near, "inner", "redis")
        near.docker("stop", "-t", "0", "redis")
        near.docker(
            *("run", "-d", "--name", f"other{turn}", "--network", "inner", "--ip", before, REDIS)
        )
        resp.first_pong(near, before)
        resp.ask(near, "SET who other", before)
        near.docker("start", "redis")
        now = address_in(near, "inner", "redis")
        assert now != before
        resp.first_pong(near, now)
        resp.ask(near, "SET who redis", now)
        for _ in range(10):
            assert resp.ask(near, "GET who", address) == "redis"


def test_a_socket_without_the_right_to_it_is_told_with_the_group_to_add(near: Engine) -> None:
    near.docker("network", "create", "inner")
    near.docker("run", "-d", "--name", "redis", "--network", "inner", REDIS)
    run_ambassador(near, "REDIS_PORT_6379_TCP=docker://redis", group=False)
    group = (near.folder / "docker.sock").stat().st_gid
    words = f"docker run --group-add {group}"
    until(lambda: words in near.logs("ambassador"), "the log says which group")
    until(lambda: words in json.dumps(status(near)), "status does, too")
    assert words in checked(near)


def test_without_a_network_in_common_those_of_both_sides_are_told(near: Engine) -> None:
    near.docker("network", "create", "inner")
    near.docker("network", "create", "outer")
    near.docker("run", "-d", "--name", "redis", "--network", "outer", REDIS)
    run_ambassador(near, "REDIS_PORT_6379_TCP=docker://redis")
    words = (
        "no network in common: redis is in outer, this ambassador in inner; "
        "docker network connect outer ambassador"
    )
    until(lambda: words in near.logs("ambassador"), "the log names both")
    until(lambda: words in json.dumps(status(near)), "status does, too")
    assert words in checked(near)
    near.docker("network", "connect", "outer", "ambassador")
    resp.first_pong(near, address_in(near, "inner", "ambassador"))


def test_a_client_of_a_stopped_container_has_it_started(near: Engine) -> None:
    near.docker("network", "create", "inner")
    near.docker("create", "--name", "redis", "--network", "inner", REDIS)
    run_ambassador(near, "REDIS_PORT_6379_TCP=docker://redis?wake")
    address = address_in(near, "inner", "ambassador")
    until(lambda: "is ready" in near.logs("ambassador"), "it is ready")
    assert not near.running("redis")
    with resp.session(near, address) as waiting:
        waiting.say("PING")
        assert waiting.hear() == "PONG"
    assert near.running("redis")


def test_a_container_with_labels_is_a_route_also_while_it_is_recreated(near: Engine) -> None:
    near.docker("network", "create", "inner")
    labels = ("--label", "ambassador.listen=6379", "--network", "inner")
    near.docker("run", "-d", "--name", "redis", *labels, REDIS)
    run_ambassador(near, "AMBASSADOR_DOCKER_LABELS=1")
    address = address_in(near, "inner", "ambassador")
    resp.first_pong(near, address)
    near.docker("rm", "-f", "redis")
    near.docker("run", "-d", "--name", "redis", *labels, REDIS)
    resp.first_pong(near, address)
    assert near.inspect("ambassador")["RestartCount"] == 0
