"""The PROXY header, before what clients say and before what endpoints are told."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest

from ambassador.core.proxy.crc32c import crc32c
from ambassador.core.proxy.header import SIGNATURE, Header
from ambassador.core.proxy.reading import read
from ambassador.core.proxy.writing import tls_value, write
from ambassador.model import Inet, Limit, Rate, Reason, Unix
from ambassador.planes.relay import greeting
from ambassador.planes.relay.introduction import header_of
from ambassador.sources.networks import NetworkLists
from tests.ports import free_port
from tests.relay.peers import is_reset, port_of, read_all, read_exactly
from tests.relay.running import endpoint, route
from tests.wait import until

EVERYBODY = ("0.0.0.0/0", "::/0")
LINE = b"PROXY TCP4 10.1.2.3 192.168.0.11 40312 443\r\n"
TOLD = Header(("10.1.2.3", 40312), ("192.168.0.11", 443), authority=b"db.example", unique_id=b"x1")


def seen(relay, name="demo"):
    """The clients of open sessions."""
    return [one.client for one in relay.do(relay.plane.sessions()) if one.route.name == name]


def turned_away(relay):
    return relay.status().turned_away


@pytest.mark.parametrize("header", [LINE, write(2, TOLD)], ids=["v1", "v2"])
def test_whose_address_it_was_is_said_by_the_header_and_the_rest_is_passed_on(relay, peers, header):
    echo = peers.echo()
    relay.add(route(port := free_port(), echo.port, proxy=EVERYBODY))
    client = peers.connect(port)
    client.sendall(header + b"PING")
    assert read_exactly(client, 4) == b"PING"
    assert seen(relay) == ["10.1.2.3:40312"]
    client.shutdown(socket.SHUT_WR)
    assert read_all(client) == b""
    until(lambda: relay.status().open == 0)
    assert relay.status().to_upstream == 4


@pytest.mark.parametrize("header", [LINE, write(2, TOLD)], ids=["v1", "v2"])
def test_a_header_may_come_byte_by_byte(relay, peers, header):
    echo = peers.echo()
    relay.add(route(port := free_port(), echo.port, proxy=EVERYBODY))
    client = peers.connect(port)
    for byte in header:
        client.sendall(bytes((byte,)))
    client.sendall(b"PING")
    assert read_exactly(client, 4) == b"PING"


def test_who_only_listens_gets_what_the_service_says_first(relay, peers):
    service = peers.listen()
    relay.add(route(port := free_port(), port_of(service), proxy=EVERYBODY))
    client = peers.connect(port)
    client.sendall(LINE)
    upstream = peers.accept(service)
    upstream.sendall(b"220 hello")
    assert read_exactly(client, 9) == b"220 hello"
    client.shutdown(socket.SHUT_WR)
    assert upstream.recv(9) == b""


@pytest.mark.parametrize(
    "header", [b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x20\0\0\0"], ids=["unknown", "local"]
)
def test_a_connection_for_nobody_is_the_senders_own(relay, peers, header):
    echo = peers.echo()
    relay.add(route(port := free_port(), echo.port, proxy=EVERYBODY))
    client = peers.connect(port)
    client.sendall(header + b"PING")
    assert read_exactly(client, 4) == b"PING"
    assert seen(relay) == [f"127.0.0.1:{client.getsockname()[1]}"]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"PING\r\n", Reason.PROXY_MALFORMED),
        (b"PROXY TCP4 10.1.2.3\r\n", Reason.PROXY_MALFORMED),
        (b"PROXY UNKNOWN " + b"f" * 200, Reason.PROXY_LONG),
        (SIGNATURE + b"\x21\x11\xff\xff", Reason.PROXY_LONG),
        (write(2, TOLD)[:-1] + b"?", Reason.PROXY_CRC),
    ],
)
def test_what_is_no_header_is_refused_and_nothing_is_forwarded(relay, peers, sent, reason):
    service = peers.listen()
    relay.add(route(port := free_port(), port_of(service), proxy=EVERYBODY))
    client = peers.connect(port)
    client.sendall(sent)
    assert is_reset(client)
    until(lambda: turned_away(relay) == {reason: 1})
    assert (relay.status().opened, relay.status().refused) == (0, 1)
    service.settimeout(0.05)
    with pytest.raises(TimeoutError):
        service.accept()


def test_a_header_that_is_cut_anywhere_is_refused(relay, peers):
    service = peers.listen()
    relay.add(route(port := free_port(), port_of(service), proxy=EVERYBODY))
    sizes = [*range(0, len(LINE), 7), len(LINE) - 1]
    for size in sizes:
        client = peers.connect(port)
        client.sendall(LINE[:size])
        client.shutdown(socket.SHUT_WR)
        assert is_reset(client)
    until(lambda: turned_away(relay) == {Reason.PROXY_CUT: len(sizes)})
    assert relay.status().opened == 0


def test_a_header_that_is_slow_is_refused_and_others_are_not_kept_waiting(
    relay, peers, monkeypatch
):
    monkeypatch.setattr(greeting, "WITHIN", 0.3)
    echo = peers.echo()
    relay.add(route(port := free_port(), echo.port, proxy=EVERYBODY))
    slow = [peers.connect(port) for _ in range(20)]
    for number, one in enumerate(slow):
        one.sendall(LINE[:number])
    client = peers.connect(port)
    client.sendall(LINE + b"PING")
    assert read_exactly(client, 4) == b"PING"
    assert all(map(is_reset, slow))
    until(lambda: turned_away(relay) == {Reason.PROXY_SLOW: 20})


def test_only_named_senders_may_say_for_whom_they_come(relay, peers):
    echo = peers.echo()
    there = route(port := free_port(), echo.port, proxy=("127.0.0.2",))
    relay.add(there)
    with suppress(ConnectionResetError):  # of connect(2): it is not waited for what it says
        assert is_reset(peers.connect(port))
    until(lambda: turned_away(relay) == {Reason.PROXY_SENDER: 1})
    sender = peers.keep(socket.socket())
    sender.bind(("127.0.0.2", 0))
    sender.connect(("127.0.0.1", port))
    sender.sendall(LINE + b"PING")
    assert read_exactly(sender, 4) == b"PING"
    assert relay.status().opened == 1


def test_the_address_in_the_header_is_what_lists_and_limits_see(relay, peers):
    echo = peers.echo()
    lists = NetworkLists()
    plain = route(port := free_port(), echo.port, proxy=EVERYBODY, deny=("10.6.0.0/16",))
    relay.add(lists(plain))
    for header, comes_in in (
        (LINE, True),
        (LINE.replace(b"10.1.2.3", b"10.6.2.3"), False),
    ):
        client = peers.connect(port)
        client.sendall(header + b"PING")
        assert _answers(client) is comes_in
    until(lambda: turned_away(relay) == {Reason.DENIED: 1})


def test_limits_count_the_clients_behind_one_sender(relay, peers):
    echo = peers.echo()
    relay.add(
        route(
            port := free_port(),
            echo.port,
            proxy=EVERYBODY,
            limit_client=Limit(1),
            ban=Rate(2, 60),
        )
    )
    found = []
    for host in (b"10.1.2.3", b"10.1.2.4", b"10.1.2.3", b"10.1.2.3", b"10.1.2.3"):
        client = peers.connect(port)
        client.sendall(LINE.replace(b"10.1.2.3", host) + b"PING")
        found.append(_answers(client))
    assert found == [True, True, False, False, False]
    until(lambda: turned_away(relay) == {Reason.LIMIT_CLIENT: 2, Reason.BANNED: 1})


def test_pick_goes_by_the_address_in_the_header(relay, peers):
    first, second = peers.echo(), peers.echo()
    there = route(port := free_port(), first.port, second.port, proxy=EVERYBODY, pick="hash")
    relay.add(there)
    for number in range(20):
        before = first.accepted
        for _ in range(2):
            client = peers.connect(port)
            client.sendall(LINE.replace(b"10.1.2.3", f"10.1.2.{number}".encode()) + b"PING")
            assert read_exactly(client, 4) == b"PING"
        assert first.accepted - before in (0, 2)  # each client to one of them
    assert first.accepted
    assert second.accepted


def test_a_path_takes_headers_and_its_lists_count_then(relay, peers, tmp_path):
    echo = peers.echo()
    path = str(tmp_path / "in.sock")
    plain = route(Unix(path), echo.port, proxy=EVERYBODY, allow=("10.1.0.0/16",))
    relay.add(NetworkLists()(plain))
    client = peers.connect(path)
    client.sendall(write(2, TOLD) + b"PING")
    assert read_exactly(client, 4) == b"PING"
    assert seen(relay) == ["10.1.2.3:40312"]
    denied = peers.connect(path)
    denied.sendall(LINE.replace(b"10.1.", b"10.2."))
    assert is_reset(denied)  # what it sent was not read
    until(lambda: turned_away(relay) == {Reason.DENIED: 1})


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_endpoint_is_told_the_address_of_its_client(relay, peers, host):
    service = peers.listen(host)
    to = endpoint(f"[{host}]:{port_of(service)}" if ":" in host else port_of(service), proxy=1)
    relay.add(route(port := free_port(), to))
    client = peers.connect(port, host)
    client.sendall(b"PING")
    upstream = peers.accept(service)
    family = 6 if ":" in host else 4
    own = client.getsockname()[1]
    line = f"PROXY TCP{family} {host} {host} {own} {port}\r\n".encode()
    assert read_exactly(upstream, len(line) + 4) == line + b"PING"
    until(lambda: relay.status().to_upstream == 4)  # the header is none of the client's bytes


def test_the_second_version_says_a_unique_id_and_keeps_its_checksum(relay, peers):
    service = peers.listen()
    relay.add(route(port := free_port(), endpoint(port_of(service), proxy=2)))
    told = []
    for _ in range(2):
        client = peers.connect(port)
        upstream = peers.accept(service)
        fixed = read_exactly(upstream, 16)
        header, _ = read(fixed + read_exactly(upstream, int.from_bytes(fixed[14:])))
        assert header.source == client.getsockname()
        assert header.destination == client.getpeername()
        told.append(header.unique_id.decode())
    assert len(set(told)) == 2
    (first, _) = relay.do(relay.plane.sessions())
    assert first.id in {one.partition("-")[2] for one in told}


def test_what_came_with_a_header_goes_on_with_the_next(relay, peers):
    service = peers.listen()
    relay.add(route(port := free_port(), endpoint(port_of(service), proxy=2), proxy=EVERYBODY))
    client = peers.connect(port)
    client.sendall(write(2, TOLD) + b"PING")
    upstream = peers.accept(service)
    assert read_exactly(upstream, len(write(2, TOLD)) + 4) == write(2, TOLD) + b"PING"


@pytest.mark.parametrize("version", [1, 2])
def test_a_client_of_a_path_is_told_of_without_an_address(relay, peers, tmp_path, version):
    service = peers.listen()
    path = str(tmp_path / "in.sock")
    relay.add(route(Unix(path), endpoint(port_of(service), proxy=version)))
    peers.connect(path)
    upstream = peers.accept(service)
    if version == 1:
        assert read_exactly(upstream, 15) == b"PROXY UNKNOWN\r\n"
        return
    fixed = read_exactly(upstream, 16)
    header, _ = read(fixed + read_exactly(upstream, int.from_bytes(fixed[14:])))
    assert (fixed[13], header.source) == (0, None)


def test_an_endpoint_at_a_path_is_sent_a_header_too(relay, peers, tmp_path):
    service = peers.listen(path := str(tmp_path / "out.sock"))
    relay.add(route(port := free_port(), endpoint(path, proxy=1)))
    client = peers.connect(port)
    upstream = peers.accept(service)
    line = f"PROXY TCP4 127.0.0.1 127.0.0.1 {client.getsockname()[1]} {port}\r\n".encode()
    assert read_exactly(upstream, len(line)) == line


def test_the_header_comes_first_where_the_endpoint_was_waited_for(relay, peers):
    at = free_port()
    relay.add(route(port := free_port(), endpoint(at, proxy=1), connect=10.0))
    client = peers.connect(port)
    client.sendall(b"PING")
    until(lambda: relay.status().met[Inet("127.0.0.1", at)].failures)
    upstream = peers.accept(peers.listen(port=at))
    assert read_exactly(upstream, 11) == b"PROXY TCP4 "
    line = f"127.0.0.1 127.0.0.1 {client.getsockname()[1]} {port}\r\nPING".encode()
    assert read_exactly(upstream, len(line)) == line


def test_a_header_that_is_on_its_way_when_the_route_goes_begins_no_session(relay, peers):
    service = peers.listen()
    there = route(port := free_port(), port_of(service), proxy=EVERYBODY)
    relay.add(there)
    client = peers.connect(port)
    client.sendall(LINE[:9])
    until(lambda: relay.call(lambda: [len(i.greetings or ()) for i in _listeners(relay)]) == [1])
    relay.remove(there)
    assert is_reset(client)


def test_a_header_that_is_on_its_way_in_an_upgrade_begins_its_session(relay, peers):
    echo = peers.echo()
    relay.add(route(port := free_port(), echo.port, proxy=EVERYBODY))
    client = peers.connect(port)
    client.sendall(LINE[:9])
    until(lambda: relay.call(lambda: [len(i.greetings or ()) for i in _listeners(relay)]) == [1])
    relay.call(relay.plane.give_up)
    client.sendall(LINE[9:] + b"PING")
    assert read_exactly(client, 4) == b"PING"
    client.close()
    relay.do(relay.plane.ended())


def test_what_may_come_changes_with_the_route(relay, peers):
    echo = peers.echo()
    first = route(port := free_port(), echo.port)
    relay.add(first)
    warm = [peers.connect(port) for _ in range(4)]
    for one in warm:
        one.sendall(b"PING")
        assert read_exactly(one, 4) == b"PING"
    second = route(port, echo.port, proxy=EVERYBODY)
    relay.change(first, second)
    plain = peers.connect(port)
    plain.sendall(b"PING")
    assert is_reset(plain)
    introduced = peers.connect(port)
    introduced.sendall(LINE + b"PING")
    assert read_exactly(introduced, 4) == b"PING"
    relay.change(second, first)
    again = peers.connect(port)
    again.sendall(b"PING")
    assert read_exactly(again, 4) == b"PING"


def test_what_a_client_has_shown_over_tls_is_told():
    class Names:
        all = ("client-server",)

        def __str__(self):
            return self.all[0]

    class Sock:
        version, names, alpn, asked_for = "TLSv1.3", Names(), "ambassador/1", "db.example"

        def getsockname(self):
            return ("10.0.0.1", 6379)

    class Session:
        header, address, id = None, ("10.0.0.9", 40312), "r1.17"

        class client:  # noqa: N801
            sock = Sock()

    header = header_of(Session())
    assert (header.alpn, header.authority) == (b"ambassador/1", b"db.example")
    assert header.tls == tls_value("TLSv1.3", "client-server")
    assert header.unique_id.endswith(b"-r1.17")
    Names.all = ()
    assert header_of(Session()).tls == tls_value("TLSv1.3")


def _answers(client):
    """Whether PING has come back, and not a reset."""
    try:
        return read_exactly(client, 4) == b"PING"
    except ConnectionResetError:
        return False


def _listeners(relay):
    return relay.plane._listeners()


def test_the_checksum_covers_the_whole_header():
    data = write(2, TOLD)
    assert int.from_bytes(data[-4:]) == crc32c(data[:-4] + bytes(4))
