"""A secret hop: a client in clear, a relay, TLS, another relay, and an endpoint in clear."""

from __future__ import annotations

import contextlib
import socket
import ssl
from dataclasses import replace

import pytest

from ambassador.core.proxy.reading import read as proxy_header
from ambassador.model import Inet, Reason, Tls, Verify
from ambassador.spec.networks import EVERYBODY
from ambassador.tls.keyring import Keyring
from tests.ports import free_port
from tests.relay.bulk import Transfer, checksum, receive, send
from tests.relay.hop import Hop, secret_client
from tests.relay.peers import is_reset, port_of, read_all, read_exactly, reset
from tests.relay.running import RunningRelay, endpoint, route
from tests.wait import until

# Workers carry no TLS.
pytestmark = pytest.mark.parametrize("loop_factory", ["uvloop"], indirect=True)


@pytest.fixture
def hop(start_relay, peers, identities):
    return Hop(start_relay, peers, *identities.pair())


@pytest.fixture(params=["client", "upstream"])
def ends(request, hop):
    client, upstream = hop.session()
    return (client, upstream) if request.param == "client" else (upstream, client)


def test_the_end_of_one_side_is_passed_on_and_the_other_goes_on(hop, ends):
    one, other = ends
    one.sendall(b"the last words")
    one.shutdown(socket.SHUT_WR)
    assert read_all(other) == b"the last words"
    for i in range(50):
        other.sendall(b"%d," % i)
        assert read_exactly(one, len(b"%d," % i)) == b"%d," % i
    assert hop.far.status().open == hop.near.status().open == 1
    other.shutdown(socket.SHUT_WR)
    assert read_all(one) == b""
    until(lambda: hop.far.status().open == 0 and hop.near.status().open == 0)
    assert hop.near.status().closed.keys() <= {Reason.CLIENT, Reason.UPSTREAM}


def test_a_late_answer_of_many_megabytes_arrives_whole(hop, ends):
    one, other = ends
    one.shutdown(socket.SHUT_WR)
    assert read_all(other) == b""
    answer = bytes(range(256)) * 4096 * 8
    other.setblocking(False)
    sent, received = 0, bytearray()
    while len(received) < len(answer):
        with contextlib.suppress(BlockingIOError):
            sent += other.send(answer[sent : sent + 262144])
        received += one.recv(262144)
    assert received == answer
    other.close()
    assert read_all(one) == b""
    until(lambda: hop.far.status().open == 0 and hop.near.status().open == 0)


def test_what_was_said_before_the_end_arrives_though_the_reader_is_slow(hop, ends):
    one, other = ends
    sending = Transfer(lambda: send(one, 24))
    one.settimeout(60)
    receiving = Transfer(lambda: receive(other))
    assert receiving.result(60) == checksum(24)
    sending.result(60)


def test_a_reset_is_passed_on_as_a_reset(hop, ends):
    one, other = ends
    one.sendall(b"x")
    assert read_exactly(other, 1) == b"x"
    reset(one)
    assert is_reset(other)
    until(lambda: hop.far.status().open == 0 and hop.near.status().open == 0)


def test_16_mib_each_way_at_once_arrive_unchanged(hop):
    client, upstream = hop.session()
    for sock in (client, upstream):
        sock.settimeout(60)
    senders = [Transfer(lambda: send(client, 16)), Transfer(lambda: send(upstream, 16, 1000))]
    receivers = [Transfer(lambda: receive(upstream)), Transfer(lambda: receive(client))]
    assert [one.result(60) for one in receivers] == [checksum(16), checksum(16, 1000)]
    for sender in senders:
        sender.result(60)


def test_a_connection_is_resumed_and_carries_what_is_sent_at_once(hop):
    for number in range(5):
        client = hop.peers.connect(hop.front)
        client.sendall(b"%d" % number)
        upstream = hop.peers.accept(hop.listening)
        assert read_exactly(upstream, 1) == b"%d" % number
        upstream.sendall(b"!")
        assert read_exactly(client, 1) == b"!"
        client.close()
        upstream.close()
    resumed = hop.far.call(lambda: sum(_stats(one) for one in _contexts(hop.far)))
    assert resumed == 4


def _contexts(relay: RunningRelay) -> list[ssl.SSLContext]:
    return list(relay.plane._around.keyring._listening.values())


def _stats(context: ssl.SSLContext) -> int:
    return int(context.session_stats()["hits"])


def test_an_end_without_close_notify_is_a_truncation_and_becomes_a_reset(hop, identities):
    client = secret_client(hop, identities.bundle("client-server"))
    client.sendall(b"half of a")
    upstream = hop.peers.accept(hop.listening)
    assert read_exactly(upstream, 9) == b"half of a"
    raw = socket.socket(fileno=client.detach())
    raw.shutdown(socket.SHUT_WR)
    assert is_reset(upstream)
    raw.close()
    until(lambda: hop.far.status().closed.get(Reason.CLIENT_RESET) == 1)


def refused(hop, reason, count=1):
    until(lambda: hop.far.status().turned_away.get(reason, 0) >= count, 15)
    assert hop.far.status().opened == 0


def unreachable(hop, words):
    client = hop.peers.connect(hop.front)
    assert is_reset(client)
    (met,) = hop.near.status().met.values()
    assert words in met.error
    assert met.failing
    hop.listening.settimeout(0.1)
    with pytest.raises(TimeoutError):
        hop.listening.accept()


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ({"of": "another"}, "not trusted: self-signed certificate in certificate chain"),
        ({"name": "other-server"}, "is of other-server, not of 127.0.0.1 nor of big-server"),
        ({"others": ("192.168.1.52",)}, "not of 127.0.0.1"),
    ],
    ids=["wrong authority", "wrong name", "wrong address"],
)
def test_an_endpoint_is_gone_to_by_its_certificate_alone(
    start_relay, peers, identities, server, words
):
    others = server.pop("others", ())
    big = identities.bundle(server.pop("name", "big-server"), *others, **server)
    client = identities.bundle("client-server", peer="big-server")
    hop = Hop(start_relay, peers, big, client)
    unreachable(hop, words)


def test_an_endpoint_in_clear_is_no_endpoint_for_tls(start_relay, peers, identities):
    _, client = identities.pair()
    hop = Hop(start_relay, peers, *identities.pair())
    echo = peers.echo()
    near = start_relay(keyring=Keyring(client))
    front = free_port()
    near.add(route(front, endpoint(port_of(echo), tls=Tls()), connect=1.0))
    assert is_reset(peers.connect(front))
    (met,) = near.status().met.values()
    assert "does not speak TLS" in met.error
    hop.near.status()


def test_an_identity_that_is_not_among_peers_does_not_come_in(start_relay, peers, identities):
    hop = Hop(start_relay, peers, *identities.pair(), who=("somebody-else", "spiffe://x/*"))
    unreachable(hop, "it does not let our identity in")
    refused(hop, Reason.IDENTITY)


def test_peers_have_patterns_and_count_again_for_what_is_resumed(start_relay, peers, identities):
    big = identities.bundle("big-server", peer="client")
    client = identities.bundle("client", "spiffe://x/a/b", peer="big-server")
    hop = Hop(start_relay, peers, big, client, who=("spiffe://x/*",))
    one, upstream = hop.session()
    upstream.sendall(b"x")  # the ticket has come before
    assert read_exactly(one, 1) == b"x"
    hop.far.change(hop.far_route, replace(hop.far_route, peers=("spiffe://y/*",)))
    unreachable_later = hop.peers.connect(hop.front)
    assert is_reset(unreachable_later)
    refused_now = hop.far.status().turned_away
    assert refused_now.get(Reason.IDENTITY, 0) >= 1


@pytest.mark.parametrize("verify", [Verify.SERVER, Verify.NONE])
def test_what_is_not_to_be_verified_is_not(start_relay, peers, identities, verify):
    big = identities.bundle("big-server", of="another" if verify is Verify.NONE else "ours")
    tls = Tls(verify)
    client = identities.bundle("client", peer="big-server")
    hop = Hop(start_relay, peers, big, client, near=tls, far=tls)
    one, upstream = hop.session()
    one.sendall(b"x")
    assert read_exactly(upstream, 1) == b"x"


def test_tls_sessions_are_in_no_worker(start_relay, peers, identities):
    big, client = identities.pair()
    far, near = (start_relay(keyring=Keyring(one), workers=1, eager=True) for one in (big, client))
    listening, front, middle = peers.listen(), free_port(), free_port()
    far.add(route(middle, port_of(listening), tls=Tls()))
    near.add(route(front, endpoint(middle, tls=Tls())))
    for _ in range(3):
        one = peers.connect(front)
        upstream = peers.accept(listening)
        for _ in range(100):
            one.sendall(b"x")
            assert read_exactly(upstream, 1) == b"x"
    handed = near.call(
        lambda: [s.is_handed for r in near.plane._routes.values() for s in r.sessions]
    )
    assert handed == [False] * 3
    assert isinstance(far.status().route.listen, Inet)


@pytest.mark.parametrize("name", ["redis.example.com", "b\xfccher.example", ""])
def test_the_name_that_a_client_has_asked_for_is_told_as_authority(
    start_relay, peers, identities, name
):
    far = start_relay(keyring=Keyring(identities.bundle("big-server")))
    listening, middle = peers.listen(), free_port()
    far.add(route(middle, endpoint(port_of(listening), proxy=2), tls=Tls(), pick="first"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(identities.bundle("client-server"))
    raw = peers.connect(middle)
    client = peers.keep(context.wrap_socket(raw, server_hostname=name or None))
    client.sendall(b"x")
    upstream = peers.accept(listening)
    head = read_exactly(upstream, 16)
    header, size = proxy_header(
        head + read_exactly(upstream, int.from_bytes(head[14:]))
    ) or pytest.fail("half of a header")
    assert header.authority == name.encode("idna")
    assert size > 16
    assert read_exactly(upstream, 1) == b"x"


@pytest.mark.parametrize("version", [1, 2])
def test_whose_address_it_was_crosses_the_hop(start_relay, peers, identities, version):
    big, client = identities.pair()
    far, near = start_relay(keyring=Keyring(big)), start_relay(keyring=Keyring(client))
    listening, front, middle = peers.listen(), free_port(), free_port()
    far.add(route(middle, port_of(listening), tls=Tls(), proxy=EVERYBODY))
    near.add(route(front, endpoint(middle, tls=Tls(), proxy=version)))
    one = peers.connect(front)
    one.sendall(b"question")
    upstream = peers.accept(listening)
    assert read_exactly(upstream, 8) == b"question"
    (seen,) = far.do(far.plane.sessions())
    assert seen.client == f"127.0.0.1:{one.getsockname()[1]}"


def test_a_header_in_clear_before_tls_counts_as_well(start_relay, peers, identities):
    far = start_relay(keyring=Keyring(identities.bundle("big-server")))
    listening, middle = peers.listen(), free_port()
    far.add(route(middle, port_of(listening), tls=Tls(), proxy=EVERYBODY))
    raw = peers.connect(middle)
    raw.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 6379\r\n")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(identities.bundle("client-server"))
    client = peers.keep(context.wrap_socket(raw))
    client.sendall(b"x")
    assert read_exactly(peers.accept(listening), 1) == b"x"
    (seen,) = far.do(far.plane.sessions())
    assert seen.client == "192.0.2.7:4711"
