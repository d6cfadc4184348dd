"""Who may come in, in both planes: what clients and endpoints see of it."""

from __future__ import annotations

import socket
import time

import pytest

from ambassador.model import Existing, Fate, Limit, Proto, Rate, Reason
from tests.conformance.ambassador import route
from tests.conformance.scene import IPV6, ends_with_reset, works
from tests.wait import until

OLD = "10.77.0.4:7000"
SIX = "[fd77::4]:7000"


@pytest.fixture(autouse=True)
def unhidden(scene):
    """Where bridges obey the rules of their host (br_netfilter), this hides who a client is."""
    scene.network.host.run("nft", "delete", "table", "ip", "published")


def client_of(scene, family=socket.AF_INET):
    """Return the address of the consumer `bridge`."""
    return scene.network.address("client", family)


def is_refused(scene, consumer="bridge", port=6379, family=socket.AF_INET):
    """Tell whether a client is let in by the listener and reset before it is served."""
    try:
        client = scene.dial(consumer, port, family)
        client.sendall(b"let me in")
    except (ConnectionResetError, BrokenPipeError):  # it was that quick
        return True
    return ends_with_reset(client)


def turned_away(scene, name="redis"):
    return scene.ambassador.status(name).turned_away.get(Reason.DENIED, 0)


@pytest.mark.parametrize(("family", "upstream"), [(socket.AF_INET, OLD), (IPV6, SIX)])
def test_who_is_not_allowed_is_reset_and_the_endpoint_hears_nothing(scene, family, upstream):
    old = scene.endpoint("old")
    mine = client_of(scene, family)
    scene.ambassador.set(route(6379, upstream, allow=(mine,)))
    client, served = scene.session(old, family=family)
    works(client, served)
    # Another host has another address; so has the ambassador's own namespace.
    assert is_refused(scene, "another host", family=family)
    assert is_refused(scene, "sidecar", family=family)
    assert turned_away(scene) == 2
    old.settimeout(0.2)
    with pytest.raises(TimeoutError):
        scene.accept(old)
    works(client, served)


def test_who_is_denied_is_reset_though_allowed(scene):
    old = scene.endpoint("old")
    scene.ambassador.set(route(6379, OLD, allow=("10.0.0.0/8",), deny=(client_of(scene),)))
    assert is_refused(scene)
    works(*scene.session(old, consumer="another host"))


def test_a_list_of_the_other_family_lets_nobody_in(scene):
    scene.endpoint("old")
    scene.ambassador.set(
        route(6379, OLD, allow=("10.0.0.0/8",)), route(6380, SIX, name="six", allow=("fd00::/8",))
    )
    assert is_refused(scene, port=6380)
    assert is_refused(scene, port=6379, family=IPV6)


def test_datagrams_of_who_is_not_allowed_are_not_passed_on(scene):
    upstream = scene.datagrams("old")
    upstream.settimeout(20)
    allowed = route(5353, "10.77.0.4:7053", name="dns", proto=Proto.UDP, allow=(client_of(scene),))
    scene.ambassador.set(allowed)
    stranger = scene.dial("another host", 5353, kind=socket.SOCK_DGRAM)
    stranger.send(b"stranger")
    until(lambda: turned_away(scene, "dns") == 1, what="it is counted")
    client = scene.dial("bridge", 5353, kind=socket.SOCK_DGRAM)
    client.send(b"client")
    text, back = upstream.recvfrom(100)
    assert text == b"client"
    upstream.sendto(b"answer", back)
    assert client.recv(100) == b"answer"


def test_open_sessions_of_a_network_that_is_taken_away_are_cut_within_a_second(scene, tmp_path):
    old = scene.endpoint("old")
    listed = tmp_path / "allow"
    listed.write_text(f"{client_of(scene)}\n10.78.0.0/24\n")
    scene.ambassador.set(route(6379, OLD, allow=(f"@{listed}",)))
    gone, gone_upstream = scene.session(old)
    stays, stays_upstream = scene.session(old, consumer="another host")
    works(gone, gone_upstream)
    works(stays, stays_upstream)
    listed.write_text("# nobody but those\n10.78.0.0/24\n")
    began = time.monotonic()
    scene.ambassador.renew_networks(listed)
    assert ends_with_reset(gone)
    assert ends_with_reset(gone_upstream)
    assert time.monotonic() - began < 1
    assert is_refused(scene)
    works(stays, stays_upstream)
    until(lambda: scene.ambassador.ended, what="its end is told")
    assert [record.reason for record in scene.ambassador.ended] == [Reason.DENIED]
    listed.write_text("10.0.0.0/8\n")
    scene.ambassador.renew_networks(listed)
    works(*scene.session(old))


def test_the_existing_of_the_route_says_how_its_sessions_end(scene):
    old = scene.endpoint("old")
    drain = Existing(Fate.DRAIN, seconds=1.5)
    scene.ambassador.set(route(6379, OLD, allow=("10.0.0.0/8",), existing=drain))
    client, upstream = scene.session(old)
    works(client, upstream)
    began = time.monotonic()
    scene.ambassador.set(route(6379, OLD, allow=("10.78.0.0/24",), existing=drain))
    works(client, upstream)
    assert ends_with_reset(client)
    assert 1 < time.monotonic() - began < 5


def test_a_flow_of_datagrams_ends_with_its_network(scene):
    upstream = scene.datagrams("old")
    upstream.settimeout(20)
    here = {"name": "dns", "proto": Proto.UDP}
    scene.ambassador.set(route(5353, "10.77.0.4:7053", allow=("10.0.0.0/8",), **here))
    client = scene.dial("bridge", 5353, kind=socket.SOCK_DGRAM)
    client.send(b"before")
    assert upstream.recv(100) == b"before"
    scene.ambassador.set(route(5353, "10.77.0.4:7053", allow=("10.78.0.0/24",), **here))
    until(lambda: scene.ambassador.status("dns").open == 0, what="its flow ends")
    client.send(b"after")
    until(lambda: turned_away(scene, "dns") == 1, what="it is counted")
    upstream.settimeout(0.1)
    with pytest.raises(TimeoutError):
        upstream.recv(100)


def test_a_bad_list_leaves_everything_as_it_was(scene, tmp_path):
    old = scene.endpoint("old")
    listed = tmp_path / "allow"
    listed.write_text("10.77.0.0/16\n")
    scene.ambassador.set(route(6379, OLD, allow=(f"@{listed}",)))
    client, upstream = scene.session(old)
    for text in ("", "10.77.0.1/16\n", "everybody\n"):
        listed.write_text(text)
        scene.ambassador.renew_networks(listed)
    listed.unlink()
    scene.ambassador.renew_networks(listed)
    works(client, upstream)
    works(*scene.session(old))


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ({"limit": Limit(1)}, Reason.LIMIT),
        ({"limit_client": Limit(1)}, Reason.LIMIT_CLIENT),
        ({"rate": Rate(1, 60.0)}, Reason.RATE),
    ],
)
def test_a_limit_is_the_relays_and_refuses_who_comes_beyond_it(scene, plane, limit, reason):
    old = scene.endpoint("old")
    if plane == "kernel":
        with pytest.raises(AssertionError):  # which is demanded, and says what is in the way
            scene.ambassador.set(route(6379, OLD, **limit))
        return
    scene.ambassador.set(route(6379, OLD, **limit))
    client, upstream = scene.session(old)
    works(client, upstream)
    assert is_refused(scene)
    assert scene.ambassador.status().turned_away == {reason: 1}
    works(client, upstream)
    client.close()
    upstream.close()
    until(lambda: scene.ambassador.status().open == 0, what="the session ends")
    if reason is not Reason.RATE:
        works(*scene.session(old))


def test_who_is_refused_again_and_again_is_left_out_and_nobody_else(scene, plane):
    if plane == "kernel":
        return
    old = scene.endpoint("old")
    scene.ambassador.set(route(6379, OLD, limit_client=Limit(1), ban=Rate(2, 60.0)))
    client, upstream = scene.session(old)
    assert is_refused(scene)
    assert is_refused(scene)
    client.close()
    upstream.close()
    until(lambda: scene.ambassador.status().open == 0, what="the session ends")
    assert is_refused(scene)
    assert scene.ambassador.status().turned_away[Reason.BANNED] == 1
    works(*scene.session(old, consumer="another host"))


def test_a_client_is_its_address_of_ipv4_however_that_is_written_and_of_ipv6_its_64(scene, plane):
    if plane == "kernel":
        return
    there, where = scene.endpoint("old"), scene.network
    near, other = "fd77::beef:1", "fd77:0:0:9::1"  # of the consumer's /64, and of another
    for address in (f"{near}/64", f"{other}/128"):
        where.client.run("ip", "addr", "add", address, "dev", "eth0", "nodad")
    where.ambassador.run("ip", "-6", "route", "add", "fd77:0:0:9::/64", "dev", "eth0")
    mapped = f"::ffff:{client_of(scene)}"
    scene.ambassador.set(route(6379, OLD, allow=(mapped, "fd77::/32"), limit_client=Limit(1)))

    def come(source):
        sock = scene.keep(where.client.socket(IPV6 if ":" in source else socket.AF_INET))
        sock.bind((source, 0))
        sock.connect((where.address("ambassador", sock.family), 6379))
        return sock

    works(come(client_of(scene)), scene.accept(there))
    assert is_refused(scene)
    works(come(near), scene.accept(there))
    assert is_refused(scene, family=IPV6)  # the consumer's own address, of the same /64
    works(come(other), scene.accept(there))
    assert scene.ambassador.status().turned_away == {Reason.LIMIT_CLIENT: 2}


def test_datagrams_are_limited_by_flows(scene, plane):
    if plane == "kernel":
        return
    upstream = scene.datagrams("old")
    upstream.settimeout(20)
    here = {"name": "dns", "proto": Proto.UDP}
    scene.ambassador.set(route(5353, "10.77.0.4:7053", limit_client=Limit(1), **here))
    scene.dial("bridge", 5353, kind=socket.SOCK_DGRAM).send(b"first")
    assert upstream.recv(100) == b"first"
    scene.dial("bridge", 5353, kind=socket.SOCK_DGRAM).send(b"second")
    until(
        lambda: scene.ambassador.status("dns").turned_away == {Reason.LIMIT_CLIENT: 1},
        what="it is counted",
    )
