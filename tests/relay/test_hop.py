"""Who does not come in over TLS: counted, told in a line, and nothing is forwarded. What others
speak, what stands still, and identities that change while clients come.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import ssl
import subprocess
import threading
import time

import pytest

from ambassador.model import Reason, Tls, Verify
from ambassador.planes.relay import handshake
from ambassador.tls.bundle import load
from ambassador.tls.keyring import Keyring
from tests.names import StaticResolver
from tests.ports import free_port
from tests.relay.hop import Hop, secret_client
from tests.relay.peers import is_reset, port_of, read_all, read_exactly
from tests.relay.running import endpoint, route
from tests.wait import until

STALLED = 1000
RENEWALS = 50


# Workers carry no TLS.
pytestmark = pytest.mark.parametrize("loop_factory", ["uvloop"], indirect=True)


@pytest.fixture
def hop(start_relay, peers, identities):
    return Hop(start_relay, peers, *identities.pair(), who=("client-*", "somebody"))


def spoken_by(version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


def in_clear(hop, _path):
    client = hop.peers.connect(hop.middle)
    client.sendall(b"*1\r\n$4\r\nPING\r\n")
    with contextlib.suppress(ConnectionError):
        assert not read_all(client).startswith(b"+")


def over_tls(hop, path, context=None):
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        client = secret_client(hop, path, context)
        client.sendall(b"x")
        assert not client.recv(1)


def old(version):
    return lambda hop, path: over_tls(hop, path, spoken_by(version))


UNTRUSTED = "its certificate is not trusted: "
NO_VERSION = "it speaks no version of TLS that may be spoken here"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize(
    ("bundle", "comes", "reason", "words"),
    [
        ({"of": "another"}, over_tls, Reason.HANDSHAKE, UNTRUSTED + "self-signed"),
        ({"begins": -100}, over_tls, Reason.HANDSHAKE, UNTRUSTED + "certificate has expired"),
        ({"begins": 3}, over_tls, Reason.HANDSHAKE, UNTRUSTED + "certificate is not yet valid"),
        (None, over_tls, Reason.HANDSHAKE, "it shows no certificate"),
        ({"name": "removed"}, over_tls, Reason.IDENTITY, "removed is not among peers"),
        ({}, old(ssl.TLSVersion.TLSv1), Reason.HANDSHAKE, NO_VERSION),
        ({}, old(ssl.TLSVersion.TLSv1_2), Reason.HANDSHAKE, NO_VERSION),
        ({}, in_clear, Reason.HANDSHAKE, "it does not speak TLS"),
    ],
    ids=["authority", "expired", "early", "nothing", "removed", "1.0", "1.2", "in clear"],
)
def test_who_does_not_come_in_is_counted_and_told(
    hop, identities, caplog, bundle, comes, reason, words
):
    path = None
    if bundle is not None:
        path = identities.bundle(bundle.pop("name", "somebody"), **bundle)
    comes(hop, path)
    until(lambda: hop.far.status().turned_away == {reason: 1})
    until(lambda: [one for one in caplog.records if "127.0.0.1 was refused" in one.getMessage()])
    assert words in caplog.text
    assert hop.far.status().opened == 0
    hop.listening.settimeout(0.05)
    with pytest.raises(TimeoutError):
        hop.listening.accept()


def test_nonsense_is_counted_and_others_come_in_after_it(hop):
    chance = random.Random(16)
    for _ in range(200):
        with contextlib.closing(socket.create_connection(("127.0.0.1", hop.middle), 10)) as raw:
            said = chance.choice((b"", b"\x16\x03\x01")) + chance.randbytes(chance.randrange(1, 90))
            raw.sendall(said)
    until(lambda: hop.far.status().turned_away == {Reason.HANDSHAKE: 200})
    client, upstream = hop.session()
    client.sendall(b"x")
    assert read_exactly(upstream, 1) == b"x"
    assert hop.far.status().opened == 1


def test_a_client_that_speaks_tls_where_it_is_in_clear_is_an_ordinary_client(relay, peers):
    """The reverse: who speaks TLS to a listener in clear speaks it to the service behind."""
    listening, port = peers.listen(), free_port()
    relay.add(route(port, port_of(listening)))
    client = peers.connect(port)
    client.sendall(b"\x16\x03\x01hello")
    assert read_exactly(peers.accept(listening), 8) == b"\x16\x03\x01hello"


def test_peers_that_stall_in_the_handshake_keep_nobody_waiting_and_go(hop, caplog, monkeypatch):
    monkeypatch.setattr(handshake, "_LIMIT", 2.0)
    stalled = [hop.peers.connect(hop.middle) for _ in range(STALLED)]
    for one in stalled[::2]:
        one.sendall(b"\x16\x03\x01")
    waits = []
    for _ in range(20):
        began = time.monotonic()
        client, upstream = hop.session()
        client.sendall(b"x")
        assert read_exactly(upstream, 1) == b"x"
        waits.append(time.monotonic() - began)
    assert sorted(waits)[10] < 0.25
    assert hop.far.status().open == 20
    until(lambda: hop.far.status().turned_away == {Reason.HANDSHAKE: STALLED}, 20)
    until(lambda: "it did not finish its handshake in time" in caplog.text)
    assert is_reset(stalled[0])
    lines = [one for one in caplog.records if getattr(one, "event", "") == "clients_refused"]
    assert len(lines) <= 6  # one a second


def test_an_identity_that_is_replaced_while_clients_come_is_no_error(hop, identities):
    keyrings = [one.plane._around.keyring for one in (hop.far, hop.near)]
    over, done, failed = threading.Event(), itertools.count(), []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                upstream = hop.listening.accept()[0]
                threading.Thread(target=echo, args=(upstream,), daemon=True).start()

    def echo(sock):
        with sock, contextlib.suppress(OSError):
            while data := sock.recv(4096):
                sock.sendall(data)

    def come(keep):
        try:
            sock = socket.create_connection(("127.0.0.1", hop.front), 10)
            while not over.is_set():
                sock.sendall(b"x" * 100)
                assert read_exactly(sock, 100) == b"x" * 100
                next(done)
                if not keep:
                    sock.close()
                    sock = socket.create_connection(("127.0.0.1", hop.front), 10)
            sock.close()
        except (OSError, AssertionError) as error:
            failed.append(error)

    for relay, keyring in zip((hop.far, hop.near), keyrings, strict=True):
        relay.call(lambda keyring=keyring: keyring.bundle)  # read, as a program does at its start
    threads = [threading.Thread(target=serve, daemon=True)]
    threads += [threading.Thread(target=come, args=(keep,)) for keep in (False, False, True)]
    for one in threads:
        one.start()
    for number in range(RENEWALS):
        for relay, keyring, bundle in zip(
            (hop.far, hop.near), keyrings, identities.pair(), strict=True
        ):
            relay.call(keyring.use, load(bundle))
        before = next(done)
        until(lambda before=before: next(done) > before + 4 or failed)
        assert not failed, number
    # Asked while clients come: the last one may leave in the middle of a handshake, which counts.
    assert not hop.far.status().turned_away
    over.set()
    for one in threads[1:]:
        one.join(10)
    hop.listening.close()
    assert failed == []


def s_client(hop, bundle, *words, said=b"x"):
    """What `openssl s_client` prints, which says `said`."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{hop.middle}", "-cert", bundle,
         "-CAfile", bundle, "-verify_return_error", "-ign_eof", *words],
        input=said, capture_output=True, timeout=20, check=False,
    )  # fmt: skip
    return (done.stdout + done.stderr).decode(errors="replace")


def answering(hop):
    """Answer what clients of the endpoint say, and end."""

    def work():
        with contextlib.suppress(OSError):
            while True:
                with hop.listening.accept()[0] as upstream:
                    upstream.settimeout(10)
                    if upstream.recv(10):
                        upstream.sendall(b"answered")

    hop.listening.settimeout(20)
    threading.Thread(target=work, daemon=True).start()


def test_openssl_s_client_comes_in_by_tls_1_3_and_not_by_less(hop, identities):
    answering(hop)
    bundle = identities.bundle("client-server")
    found = s_client(hop, bundle)
    assert "New, TLSv1.3, Cipher is TLS_" in found
    assert "Verify return code: 0 (ok)" in found
    assert "answered" in found
    assert "alert protocol version" in s_client(hop, bundle, "-tls1_2")


def test_by_tls_1_2_where_that_is_said_a_session_is_resumed(
    start_relay, peers, identities, tmp_path
):
    hop = Hop(start_relay, peers, *identities.pair(), far=Tls(oldest="1.2"))
    answering(hop)
    bundle, kept = identities.bundle("client-server"), str(tmp_path / "session")
    assert "New, TLSv1.2" in s_client(hop, bundle, "-tls1_2", "-sess_out", kept)
    older = s_client(hop, bundle, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256")
    assert "handshake failure" in older  # it has CBC
    assert "Reused, TLSv1.2" in s_client(hop, bundle, "-tls1_2", "-sess_in", kept)
    assert "answered" in s_client(hop, bundle, "-tls1_2", "-sess_in", kept)


def test_what_is_resumed_at_an_address_is_of_the_name_it_was_verified_for(
    start_relay, peers, identities
):
    server, client = identities.bundle("right.example"), identities.bundle("client-server")
    far = start_relay(keyring=Keyring(server))
    names = StaticResolver(**dict.fromkeys(("right.example", "wrong.example"), ("127.0.0.1",)))
    near = start_relay(keyring=Keyring(client), resolver=names)
    listening, middle = peers.listen(), free_port()
    far.add(route(middle, port_of(listening), tls=Tls()))
    fronts = [free_port(), free_port()]
    for front, name in zip(fronts, ("right.example", "wrong.example"), strict=True):
        there = endpoint(f"{name}:{middle}", tls=Tls())
        near.add(route(front, there, connect=1.0, name=name))
    one = peers.connect(fronts[0])
    one.sendall(b"x")
    assert read_exactly(peers.accept(listening), 1) == b"x"
    assert is_reset(peers.connect(fronts[1]))


@pytest.mark.parametrize("name", ["localhost", "another"])
def test_the_authorities_of_the_host_are_trusted_for_the_name_of_the_endpoint(
    start_relay, peers, identities, monkeypatch, name
):
    """Without an identity, as to a managed service: SSL_CERT_FILE is where OpenSSL has them."""
    server = identities.bundle(name)
    roots = identities.folder / "roots.pem"
    roots.write_text(load(server).authority)
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    far = start_relay(keyring=Keyring(server))
    near = start_relay(keyring=Keyring(), resolver=StaticResolver(localhost=("127.0.0.1",)))
    listening, front, middle = peers.listen(), free_port(), free_port()
    far.add(route(middle, port_of(listening), tls=Tls(Verify.SERVER)))
    near.add(route(front, endpoint(f"localhost:{middle}", tls=Tls()), connect=1.0))
    client = peers.connect(front)
    if name == "localhost":
        client.sendall(b"x")
        assert read_exactly(peers.accept(listening), 1) == b"x"
    else:
        assert is_reset(client)
        (met,) = near.status().met.values()
        assert "Hostname mismatch" in met.error
