"""An nft that fails once, fails, hangs or is gone: what was answered is true, and what is wanted
comes true once it works again. The relay knows nothing of it.
"""

from __future__ import annotations

import shutil
import signal
import socket
import time

import pytest

from ambassador.core.commands import Hold, Move, Remove
from ambassador.errors import PlaneError
from ambassador.model import Proto
from ambassador.planes.kernel import nft
from tests.conformance.ambassador import Ambassador, route
from tests.conformance.scene import Scene
from tests.wait import until

OLD, NEW = "10.77.0.4", "10.77.0.5"
OLD6, NEW6 = "fd77::4", "fd77::5"
FAMILIES = {socket.AF_INET: "10.77.0.2", socket.AF_INET6: "fd77::2"}
HOW = ("once", "fails", "hangs", "gone")


class BrokenNft:
    """A program `nft` that works until it is broken."""

    def __init__(self, folder):
        self.path = folder / "nft"
        self._broken = folder / "broken"
        self._real = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin")
        self.repair()

    def break_(self, how):
        complain = 'echo "Error: Could not process rule: Cannot allocate memory" >&2; exit 1'
        match how:
            case "once":
                self._broken.touch()
                remedy = f"if [ -e {self._broken} ]; then rm {self._broken}; {complain}; fi"
                self._write(f'{remedy}; exec {self._real} "$@"')
            case "fails":
                self._write(complain)
            case "hangs":
                self._write("exec sleep 100")
            case "gone":
                self.path.unlink()

    def repair(self):
        self._write(f'exec {self._real} "$@"')

    def _write(self, script):
        # In its place at once: a script that is being written cannot be executed.
        beside = self.path.with_suffix(".new")
        beside.write_text(f"#!/bin/sh\n{script}\n")
        beside.chmod(0o755)
        beside.replace(self.path)


@pytest.fixture
def broken(tmp_path, monkeypatch):
    monkeypatch.setattr(nft, "_PATIENCE", 1.5)  # one that works may take 0.5 s on a busy machine
    return BrokenNft(tmp_path)


@pytest.fixture
def ambassador(network, plane, broken):
    ambassador = Ambassador(network, plane, nft=str(broken.path))
    yield ambassador
    broken.repair()
    ambassador.close()


@pytest.fixture
def scene(network, ambassador):
    scene = Scene(network, ambassador)
    yield scene
    scene.close()


class Answering:
    """Who answers at the endpoints, TCP and UDP: the name of the namespace."""

    def __init__(self, scene):
        self._scene = scene
        self._tcp = {where: scene.endpoint(where) for where in ("old", "new")}
        self._udp = {where: scene.datagrams(where) for where in ("old", "new")}
        for sock in (*self._tcp.values(), *self._udp.values()):
            sock.settimeout(0.05)

    def tcp(self, family=socket.AF_INET, port=6379, within=3.0):
        """Return where a new connection leads; nothing when nowhere."""
        try:
            client = self._scene.dial("bridge", port, family)
        except OSError:
            return ""
        client.sendall(b"hello")

        def comes(listening):
            with listening.accept()[0] as upstream:
                return upstream.recv(5) == b"hello"  # one that verifies says nothing

        return self._first(self._tcp, comes, within)

    def udp(self, family=socket.AF_INET, port=53, within=3.0):
        client = self._scene.dial("bridge", port, family, socket.SOCK_DGRAM)
        client.send(b"hello")
        return self._first(self._udp, lambda sock: sock.recv(5) == b"hello", within)

    @staticmethod
    def _first(sockets, comes, within):
        end = time.monotonic() + within
        while time.monotonic() < end:
            for where, sock in sockets.items():
                try:
                    if comes(sock):
                        return where
                except TimeoutError:
                    pass
        return ""

    def everywhere(self):
        return {kind(family) for kind in (self.tcp, self.udp) for family in FAMILIES}


@pytest.mark.parametrize("family", FAMILIES, ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("proto", Proto)
@pytest.mark.parametrize("how", HOW)
def test_what_is_answered_is_what_clients_meet(scene, ambassador, broken, how, proto, family):
    port = 7000 if proto is Proto.TCP else 7053
    old, new = (OLD, NEW) if family == socket.AF_INET else (f"[{OLD6}]", f"[{NEW6}]")
    listen = (6379, 6380, 6381)
    ambassador.set(*(route(at, f"{old}:{port}", name=f"r{at}", proto=proto) for at in listen))
    answering = Answering(scene)
    broken.break_(how)

    def answers(at, within=3.0):
        ask = answering.tcp if proto is Proto.TCP else answering.udp
        return ask(family, at, within)

    def done(command):
        try:
            ambassador.execute(command)
        except PlaneError as error:
            assert "nft" in str(error)
            return False
        return True

    move = Move("r6379", (f"{proto}://{new}:{port}",))
    moved = done(move)
    assert answers(6379) == ("new" if moved else "old")
    # Where it still leads to the old one, it does at once.
    removed = done(Remove("r6380"))
    assert answers(6380, 0.5 if removed else 3.0) == ("" if removed else "old")
    held = done(Hold("r6381"))
    assert answers(6381, 0.5 if held else 3.0) == ("" if held else "old")
    if ambassador.plane == "relay":
        assert moved
        assert removed
        assert held
    broken.repair()
    if not moved:
        ambassador.execute(move)
        assert answers(6379) == "new"
    until(
        lambda: ambassador.status("r6379").plane == ambassador.plane,
        30,
        "the route is in its plane again",
    )
    assert answers(6379) == "new"


@pytest.mark.parametrize("how", HOW)
def test_what_nobody_waits_for_comes_true_when_nft_works_again(scene, ambassador, broken, how):
    """TCP and UDP, IPv4 and IPv6: the endpoint's name has other addresses."""
    ambassador.resolve("db", OLD, OLD6)
    ambassador.set(route(6379, "db:7000"), route(53, "db:7053", name="dns", proto=Proto.UDP))
    answering = Answering(scene)
    assert answering.everywhere() == {"old"}
    broken.break_(how)
    ambassador.resolve("db", NEW, NEW6)
    if how != "once":  # nobody is led to where the name was; those who come keep no rule in force
        until(lambda: answering.everywhere() == {"new"}, 25)
    if ambassador.plane == "kernel" and how != "once":
        for name in ("redis", "dns"):
            status = ambassador.status(name)
            assert (status.plane, "nft" in status.why) == ("relay", True)
    broken.repair()
    until(
        lambda: all(
            "nft" not in one.why and one.plane == ambassador.plane for one in ambassador.statuses()
        ),
        30,
        "all is as it should be",
    )
    assert answering.everywhere() == {"new"}


@pytest.mark.parametrize("how", ["fails", "hangs", "gone"])
def test_it_stops_within_its_grace(network, plane, broken, start_program, how):
    program = start_program(
        plane,
        f"R_PORT_6379_TCP=tcp://{OLD}:7000",
        "--grace=2s",
        environ={"PATH": f"{broken.path.parent}:/usr/sbin:/usr/bin:/bin"},
    )
    assert program.started["plane"] == plane
    broken.break_(how)
    began = time.monotonic()
    program.process.send_signal(signal.SIGTERM)
    assert program.process.wait(10) == 0
    assert time.monotonic() - began < 3
