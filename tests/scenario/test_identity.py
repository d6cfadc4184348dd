"""The whole program over TLS: a page's two hosts, renewal, and who is let in while it runs."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

from tests.ports import free_port
from tests.program import COMMAND, Program, clean_environ
from tests.relay.peers import is_reset, port_of, read_exactly
from tests.wait import until

R = "REDIS_PORT_6379_TCP"
SLOWER = 2.0  # seconds that a machine with much else to do may take longer


def check(**environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (*COMMAND, "check"),
        env=clean_environ(**environ),
        text=True,
        capture_output=True,
        check=False,
    )


def status(admin: Path) -> dict:
    found = subprocess.run(
        (sys.executable, "-m", "ambassador", "status", "--json", "--admin", str(admin)),
        env=clean_environ(),
        text=True,
        capture_output=True,
        check=False,
    )
    return json.loads(found.stdout)


def metric(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
        for line in page.read().decode().splitlines():
            if line.startswith("ambassador_certificate_expires_seconds{"):
                return float(line.rpartition(" ")[2])
    raise AssertionError("no such metric")


class Hop:
    def __init__(self, tmp_path, peers, big, client, who="client-server"):
        self.listening = peers.listen()
        self.peers = peers
        self.middle, self.front, self.metrics = free_port(), free_port(), free_port()
        self.admin = tmp_path / "far.sock"
        self.file = tmp_path / "far.toml"
        self.let_in(who)
        self.far = Program(
            AMBASSADOR_IDENTITY=big,
            AMBASSADOR_ADMIN=str(self.admin),
            AMBASSADOR_METRICS=f"127.0.0.1:{self.metrics}",
            AMBASSADOR_CONFIG=str(self.file),
        )
        self.near = Program(
            AMBASSADOR_IDENTITY=client,
            **{R: f"tls://127.0.0.1:{self.middle}", f"{R}_LISTEN": f"127.0.0.1:{self.front}"},
        )

    def let_in(self, who: str) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(
            f'[route.redis]\nlisten = "tls://127.0.0.1:{self.middle}"\npeers = "{who}"\n'
            f'endpoints = ["tcp://127.0.0.1:{port_of(self.listening)}"]\n'
        )
        new.replace(self.file)

    def session(self) -> tuple[socket.socket, socket.socket]:
        client = self.peers.connect(self.front)
        client.sendall(b"x")
        upstream = self.peers.accept(self.listening)
        assert read_exactly(upstream, 1) == b"x"
        return client, upstream

    def __enter__(self):
        self.far.started()
        self.near.started()
        return self

    def __exit__(self, *_):
        for one in (self.far, self.near):
            one.__exit__()


def test_an_identity_is_renewed_while_sessions_go_on_and_a_bad_one_keeps_the_old(
    tmp_path, peers, identities
):
    big, client = identities.pair()
    with Hop(tmp_path, peers, big, client) as hop:
        before = hop.session()
        assert 89 * 86400 < metric(hop.metrics) < 91 * 86400
        new = Path(identities.bundle("big-server", of="ours", days=10, peer="client-server"))
        assert str(new) == big  # written anew in its place
        hop.far.wait_for("identity_renewed")
        hop.session()
        assert 9 * 86400 < metric(hop.metrics) < 11 * 86400
        for content, words in (
            ("garbage", "holds no certificate"),
            ("", "is empty"),
            (Path(client).read_text().split("-----BEGIN PRIVATE")[0], "no key for it"),
        ):
            count = len(hop.far.said("identity_failed"))
            new.write_text(content)
            until(lambda count=count: len(hop.far.said("identity_failed")) > count)
            assert words in hop.far.said("identity_failed")[-1]
            assert words in status(hop.admin)["identity"]["error"]
            hop.session()
        identities.bundle("big-server", days=5, begins=-10)
        until(lambda: "has expired" in hop.far.said("identity_failed")[-1])
        hop.session()
        identities.bundle("big-server", days=90, peer="client-server")
        until(lambda: len(hop.far.said("identity_renewed")) == 2)
        assert status(hop.admin)["identity"]["error"] == ""
        before[0].sendall(b"still here")
        assert read_exactly(before[1], 10) == b"still here"


def test_who_is_no_peer_any_longer_is_cut_and_does_not_come_back(tmp_path, peers, identities):
    with Hop(tmp_path, peers, *identities.pair()) as hop:
        client, _ = hop.session()
        hop.let_in("somebody-else")
        assert is_reset(client)
        assert is_reset(peers.connect(hop.front))
        hop.let_in("client-*")
        until(lambda: _works(hop))


def test_who_is_taken_out_of_a_file_is_cut_within_a_second(tmp_path, peers, identities):
    file = tmp_path / "peers"
    file.write_text("client-server\n")
    with Hop(tmp_path, peers, *identities.pair(), who=f"@{file}") as hop:
        client, _ = hop.session()
        began = time.monotonic()
        file.write_text("somebody-else\n")
        assert is_reset(client)
        took = time.monotonic() - began
        assert took < 1 + SLOWER, took
        assert "who may come in was read again" in hop.far.wait_for("networks_read")
        assert is_reset(peers.connect(hop.front))
        file.write_text("no name!\n")
        assert "line 1: is not a name" in hop.far.wait_for("networks_failed")
        file.write_text("client-*\n")
        until(lambda: _works(hop))


def _works(hop) -> bool:
    try:
        hop.session()
    except OSError:
        return False
    return True


def test_probes_and_moves_speak_the_endpoints_tls(tmp_path, peers, identities):
    """A TLS port whose PING is answered is healthy; one of another name is not, nor moved to."""
    big, client = identities.pair()
    other = identities.bundle("other-server", peer="client-server")
    echo = Redis(peers)
    ports = [free_port(), free_port()]
    admin = tmp_path / "near.sock"
    far = [
        Program(
            AMBASSADOR_IDENTITY=identity,
            **{R: f"tcp://127.0.0.1:{echo.port}", f"{R}_LISTEN": f"tls://127.0.0.1:{port}"},
        )
        for identity, port in zip((big, other), ports, strict=True)
    ]
    for one in far:
        one.started()
    near = Program(
        AMBASSADOR_IDENTITY=client,
        AMBASSADOR_ADMIN=str(admin),
        **{
            R: ",".join(f"tls://127.0.0.1:{port}" for port in ports),
            f"{R}_LISTEN": f"127.0.0.1:{free_port()}",
            f"{R}_HEALTH": "redis",
            f"{R}_INTERVAL": "200ms",
        },
    )
    with far[0], far[1], near:
        assert str(ports[0]) in near.wait_for("endpoint_healthy")
        assert "its certificate is of other-server" in near.wait_for("endpoint_unhealthy")
        for port, code in ((ports[1], 5), (ports[0], 0)):
            words = ("move", "redis", f"tls://127.0.0.1:{port}", "--admin", str(admin))
            found = subprocess.run(
                (*COMMAND, *words), env=clean_environ(), text=True, capture_output=True, check=False
            )
            assert found.returncode == code, found.stderr
    echo.close()


class Redis:
    """Answers every PING."""

    def __init__(self, peers):
        self._listening = peers.listen()
        self.port = port_of(self._listening)
        self._listening.settimeout(None)
        self._over = False
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._over = True
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()

    def _serve(self):
        while not self._over:
            with self._listening.accept()[0] as client:
                client.settimeout(2)
                with contextlib.suppress(OSError):
                    if client.recv(100):
                        client.sendall(b"+PONG\r\n")
                        client.recv(100)


def test_what_cannot_be_is_told_before_anything_starts(tmp_path, identities):
    expired = identities.bundle("old", days=5, begins=-10)
    early = identities.bundle("early", begins=3)
    leaf = tmp_path / "authority.pem"
    leaf.write_text("-----BEGIN" + Path(expired).read_text().split("-----BEGIN")[3])
    route = {R: "tcp://127.0.0.1:1", f"{R}_LISTEN": "tls://:16379"}
    for identity, words in (
        ("", "there is no identity to show"),
        (expired, "has expired"),
        (early, "is not valid yet"),
        (str(tmp_path / "nowhere.pem"), "is not there"),
        (str(leaf), "there is no identity to show"),
    ):
        found = check(AMBASSADOR_IDENTITY=identity, **route)
        assert found.returncode == 2, words
        assert words in found.stderr
    good = identities.bundle("good")
    assert check(AMBASSADOR_IDENTITY=good, **route).returncode == 0
    peers = {f"{R}_PEERS": "a"}
    found = check(AMBASSADOR_IDENTITY=good, **{R: "tcp://127.0.0.1:1"}, **peers)
    assert "does not listen with tls://" in found.stderr
    found = check(
        AMBASSADOR_IDENTITY=good,
        **{R: "tcp://h:1", f"{R}_LISTEN": "tls://:1?verify=server"},
        **peers,
    )
    assert "asks clients for none" in found.stderr


def test_nobody_verified_and_a_key_for_all_to_read_are_said_loudly(identities):
    path = identities.bundle("big-server", days=3)
    Path(path).chmod(0o644)
    with Program(
        AMBASSADOR_IDENTITY=path,
        **{R: "tcp://127.0.0.1:1", f"{R}_LISTEN": f"tls://127.0.0.1:{free_port()}?verify=none"},
    ) as program:
        assert "NOBODY proves who it is" in program.wait_for("not_verified")
        assert "may be read by others" in program.wait_for("identity_exposed")
        assert "expires in 2 days" in program.wait_for("identity_expires")


def test_a_file_without_a_name_is_told_as_one_that_another_took_the_place_of(
    tmp_path, peers, identities
):
    """As a file that is bound into a container is, when one is renamed to its place outside."""
    big, client = identities.pair()
    with open(big, "rb") as held:  # noqa: PTH123 (its descriptor)
        bound = f"/proc/{os.getpid()}/fd/{held.fileno()}"
        with Hop(tmp_path, peers, bound, client) as hop:
            hop.session()
            identities.bundle("new", peer="client-server")
            Path(big).with_name("new-ours.pem").replace(big)
            line = hop.far.wait_for("identity_failed")
            assert f"in the place of {bound}, which is bound here by itself" in line
            assert "bind its folder" in status(hop.admin)["identity"]["error"]
            hop.session()
