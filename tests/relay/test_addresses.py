"""Where a route can listen and lead: IPv4, IPv6, both on one port, ranges, unix sockets."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from ambassador.model import Endpoint, Inet, Proto
from tests.names import StaticResolver
from tests.ports import free_port
from tests.relay.peers import is_reset, port_of, read_exactly
from tests.relay.running import route


def speaks(client: socket.socket) -> bool:
    client.sendall(b"question")
    return read_exactly(client, 8) == b"question"


@pytest.mark.parametrize("inside", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("outside", ["127.0.0.1", "127.0.0.2", "::1"])
def test_one_port_takes_ipv4_and_ipv6_and_leads_to_either(relay, peers, outside, inside):
    echo, port = peers.echo(inside), free_port()
    relay.add(route(port, f"[{inside}]:{echo.port}"))
    assert speaks(peers.connect(port, outside))


@pytest.mark.parametrize(
    ("host", "other"), [("127.0.0.1", "::1"), ("::1", "127.0.0.1"), ("127.0.0.2", "127.0.0.1")]
)
def test_a_route_may_listen_on_one_address_only(relay, peers, host, other):
    echo, port = peers.echo(), free_port()
    relay.add(route(f"[{host}]:{port}", echo.port))
    assert speaks(peers.connect(port, host))
    with pytest.raises(ConnectionRefusedError):
        peers.connect(port, other)


def test_two_routes_share_a_port_on_two_addresses(relay, peers):
    one, two, port = peers.listen(), peers.listen(), free_port()
    relay.add(
        route(f"127.0.0.1:{port}", port_of(one)),
        route(f"127.0.0.2:{port}", port_of(two), name="other"),
    )
    peers.connect(port, "127.0.0.2").sendall(b"two")
    assert read_exactly(peers.accept(two), 3) == b"two"


def test_a_range_of_ports_is_mapped_one_to_one(relay, peers):
    first, behind = free_port(4), free_port(4)
    listening = [peers.listen(port=behind + i) for i in range(4)]
    relay.add(route(Inet("", first, first + 3), Endpoint(Inet("127.0.0.1", behind, behind + 3))))
    for i in (2, 0, 3, 1):
        peers.connect(first + i).sendall(b"%d" % i)
        assert read_exactly(peers.accept(listening[i]), 1) == b"%d" % i
    assert relay.status().opened == 4


@pytest.mark.parametrize("outside", ["unix", "tcp"])
@pytest.mark.parametrize("inside", ["unix", "tcp"])
def test_unix_sockets_on_either_side(relay, peers, tmp_path, outside, inside):
    echo = peers.echo(str(tmp_path / "in") if inside == "unix" else "127.0.0.1")
    front = str(tmp_path / "out") if outside == "unix" else free_port()
    relay.add(route(front, str(tmp_path / "in") if inside == "unix" else echo.port))
    assert speaks(peers.connect(front))


def test_the_file_of_a_unix_listener_goes_with_the_route(relay, tmp_path):
    path = tmp_path / "out"
    installed = route(str(path), 1)
    relay.add(installed)
    assert stat.S_ISSOCK(path.stat().st_mode)
    relay.remove(installed)
    assert not path.exists()


def test_a_unix_socket_left_by_a_crash_is_replaced(relay, peers, tmp_path):
    path, echo = tmp_path / "out", peers.echo()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as crashed:
        crashed.bind(str(path))
    relay.add(route(str(path), echo.port))
    assert speaks(peers.connect(str(path)))


def test_the_log_names_clients_as_people_write_them(relay, peers, caplog, tmp_path):
    caplog.set_level("DEBUG", "ambassador")
    echo, port, path = peers.echo(), free_port(), str(tmp_path / "out")
    relay.add(route(port, echo.port), route(path, echo.port, name="local"))
    clients = [peers.connect(port), peers.connect(port, "::1"), peers.connect(path)]
    expected = {
        f"127.0.0.1:{port_of(clients[0])}",
        f"[::1]:{port_of(clients[1])}",
        "unix",
    }
    for client in clients:
        assert speaks(client)
        client.close()
    relay.drain(5)
    ended = [r.fields for r in caplog.records if getattr(r, "event", "") == "session_closed"]
    assert {fields["client"] for fields in ended} == expected
    assert {fields["endpoint"] for fields in ended} == {f"127.0.0.1:{echo.port}"}
    assert {(f["to_upstream"], f["to_client"], f["reason"]) for f in ended} == {(8, 8, "client")}
    assert not Path(path).exists()


def test_connections_come_from_the_source_addresses_in_turn(relay, peers):
    listening, port = peers.listen(), free_port()
    relay.add(route(port, port_of(listening), source=("127.0.0.7", "127.0.0.8")))
    seen = set()
    for _ in range(4):
        peers.connect(port)
        seen.add(peers.accept(listening).getpeername()[0])
    assert seen == {"127.0.0.7", "127.0.0.8"}


def test_datagrams_come_from_the_source_addresses_too(relay, peers):
    service, port = peers.datagrams(), free_port()
    relay.add(route(port, port_of(service), proto=Proto.UDP, source=("127.0.0.7",)))
    client = peers.datagrams()
    client.sendto(b"question", ("127.0.0.1", port))
    assert service.recvfrom(10)[1][0] == "127.0.0.7"


def test_a_source_address_this_host_does_not_have_is_the_reason_that_is_told(relay, peers, caplog):
    port = free_port()
    relay.add(route(port, peers.echo().port, connect=0.3, source=("192.0.2.1",)))
    assert is_reset(peers.connect(port))
    assert "this host does not have the source address 192.0.2.1" in caplog.text


def test_all_addresses_of_a_name_are_used_and_by_datagrams_too(start_relay, peers):
    relay = start_relay(resolver=StaticResolver(app=["127.0.0.2", "127.0.0.3"]))
    inside, port = free_port(), free_port()
    services = [peers.datagrams(host, inside) for host in ("127.0.0.2", "127.0.0.3")]
    relay.add(route(port, f"app:{inside}", proto=Proto.UDP))
    for _ in range(4):
        peers.datagrams().sendto(b"q", ("127.0.0.1", port))
    for service in services:
        assert [service.recv(1) for _ in range(2)] == [b"q", b"q"]
