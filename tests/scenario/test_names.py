"""Endpoints whose names and places change while the program runs, by a real name server."""

import select
import signal
import socket
import time

import pytest

from tests.ports import free_port
from tests.relay.peers import is_reset
from tests.scenario.conftest import NEW, OLD, OLD6, SILENT
from tests.wait import until

pytestmark = pytest.mark.root

DB = "DB_PORT_5432_TCP=tcp://db:5432"


class Network:
    """Clients here, and endpoints far away that listen on port 5432 of their addresses."""

    def __init__(self, net, far, peers) -> None:
        self._net = net
        self._far = far
        self._peers = peers
        self._listening: dict[str, socket.socket] = {}

    def listen(self, *hosts: str) -> None:
        for host in hosts:
            self._listening[host] = self._far.call(self._peers.listen, host, 5432)

    def leave(self, host: str) -> None:
        self._listening.pop(host).close()

    def client(self, port: int = 5432) -> socket.socket:
        return self._net.call(self._peers.connect, port)

    def accept(self, host: str) -> socket.socket:
        return self._peers.accept(self._listening[host])

    def session(self, host: str) -> tuple[socket.socket, socket.socket]:
        """Connect; return the client and, accepted at `host`, its upstream."""
        client = self.client()
        return client, self.accept(host)

    def new_sessions_lead_to(self, host: str) -> bool:
        """Connect, and tell whether it is `host` that has a new session."""
        with self.client():
            (there,) = select.select(self._listening.values(), [], [], 10)[0]
            there.accept()[0].close()
            return there is self._listening[host]


@pytest.fixture
def network(net, far, peers):
    return Network(net, far, peers)


def test_an_address_that_changes_moves_new_sessions_and_leaves_the_open_one(
    start, start_dns, network
):
    dns = start_dns(ttl=1)
    dns.say(db=OLD)
    network.listen(OLD, NEW)
    program = start(DB).started()
    client, upstream = network.session(OLD)
    dns.say(db=NEW)
    until(lambda: network.new_sessions_lead_to(NEW))
    # a thread writes the log: a client may be led there before its line is read
    until(lambda: program.said("name_resolved") == [f"db is at {NEW} (was {OLD})"])
    client.sendall(b"still there")
    assert upstream.recv(100) == b"still there"


def test_after_a_failed_connect_the_name_is_asked_for_at_once(start, start_dns, network):
    dns = start_dns(ttl=600)
    dns.say(db=OLD)
    network.listen(OLD)
    program = start(DB).started()
    network.session(OLD)
    dns.say(db=NEW)
    network.listen(NEW)
    network.leave(OLD)
    began = time.monotonic()
    network.session(NEW)
    assert time.monotonic() - began < 4  # of the 30 s the answer may be used for, at most
    assert program.wait_for("name_resolved") == f"db is at {NEW} (was {OLD})"


def test_each_address_of_a_name_is_asked_by_itself(start, start_dns, network):
    dns = start_dns(ttl=1)
    dns.say(db=(OLD, NEW))
    network.listen(OLD)
    options = ("HEALTH=tcp", "INTERVAL=200ms", "FALL=1", "RISE=1")
    program = start(DB, *(f"DB_PORT_5432_TCP_{one}" for one in options)).started()
    where = f"db  tcp://db:5432 at {NEW} is"
    assert program.wait_for("address_unhealthy") == f"{where} unhealthy: connection refused"
    assert program.said("endpoint_healthy") == ["db  tcp://db:5432 is healthy"]
    network.listen(NEW)
    until(lambda: f"{where} healthy" in program.said("address_healthy"))
    dns.say(db=NEW)
    network.leave(NEW)
    program.wait_for("endpoint_unhealthy")


def test_the_last_good_address_is_used_while_dns_is_away(start, start_dns, network):
    dns = start_dns(ttl=1)
    dns.say(db=OLD)
    network.listen(OLD)
    program = start(DB).started()
    network.session(OLD)
    dns.stop()
    said = program.wait_for("name_unresolved")
    assert said.startswith(f"db: the name servers do not answer; going on with {OLD}, ")
    began = time.monotonic()
    for _ in range(10):
        network.session(OLD)
    assert time.monotonic() - began < 1
    dns.start()
    network.listen(NEW)
    dns.say(db=NEW)
    until(lambda: network.new_sessions_lead_to(NEW), within=10)
    assert len(program.said("name_unresolved")) == 1


def test_a_silent_address_of_a_name_is_waited_for_for_a_moment_once_and_not_by_everybody(
    start, start_dns, network
):
    start_dns(ttl=600).say(db=(SILENT, OLD6))
    network.listen(OLD6)
    start(DB, "DB_PORT_5432_TCP_CONNECT=4s").started()
    times = []
    for _ in range(5):
        began = time.monotonic()
        network.session(OLD6)
        times.append(time.monotonic() - began)
    assert 0.2 < times[0] < 1.5  # the other address is tried beside it after 0.25 s
    assert sum(times[1:]) < 2


def test_an_endpoint_that_is_absent_at_the_start_and_comes_later(start, start_dns, network):
    start_dns().say(db=OLD)
    program = start(DB).started()
    client = network.client()
    client.sendall(b"early")
    said = program.wait_for("endpoint_unreachable")
    assert said == f"db  cannot reach tcp://db:5432: {OLD}:5432: connection refused"
    network.listen(OLD)
    assert network.accept(OLD).recv(100) == b"early"
    assert program.wait_for("endpoint_reachable").startswith("db  reaches tcp://db:5432 again, ")
    assert len(program.said("endpoint_unreachable")) == 1


def test_a_name_that_is_unknown_at_the_start_and_comes_later(start, start_dns, network):
    dns = start_dns()
    network.listen(OLD)
    program = start(DB).started()
    assert program.wait_for("name_unresolved") == "db has no address: there is no such name"
    client = network.client()
    client.sendall(b"early")
    program.wait_for("endpoint_unreachable")
    dns.say(db=OLD)
    assert network.accept(OLD).recv(100) == b"early"
    assert program.wait_for("name_resolved") == f"db is at {OLD}"
    assert len(program.said("name_unresolved")) == 1


def test_a_client_that_waited_in_vain_is_reset_and_a_later_one_is_served(start, start_dns, network):
    start_dns().say(db=OLD)
    start(DB, "DB_PORT_5432_TCP_CONNECT=1s").started()
    assert is_reset(network.client())
    network.listen(OLD)
    network.session(OLD)


def test_etc_hosts_comes_first_and_is_followed(start, start_dns, network, hosts_file):
    dns = start_dns(ttl=1)
    dns.say(db="10.9.0.9")
    hosts_file.write_text(f"{OLD} db\n")
    network.listen(OLD, NEW)
    start(DB).started()
    network.session(OLD)
    hosts_file.write_text(f"{NEW} db\n")
    until(lambda: network.new_sessions_lead_to(NEW))
    assert dns.questions("db") == 0


def test_a_link_without_variables_is_followed_and_read_again_on_sighup(
    start, start_dns, network, hosts_file
):
    start_dns()
    hosts_file.write_text(f"{OLD} postgres 3f2a9c0d1e2f\n")
    network.listen(OLD, NEW)
    program = start().started()
    assert program.wait_for("route_started").startswith("postgres  :5432 -> postgres:5432 ")
    network.session(OLD)
    hosts_file.write_text(f"{NEW} postgres 3f2a9c0d1e2f\n10.0.0.1 redis 5f2a9c0d1e2f\n")
    until(lambda: network.new_sessions_lead_to(NEW))
    program.send(signal.SIGHUP)
    assert program.wait_for("reloaded") == "reloaded: 1 change"
    assert program.said("route_started")[1].startswith("redis  :6379 -> redis:6379 ")
    hosts_file.write_text("")
    program.send(signal.SIGHUP)
    assert "neither an argument nor a variable" in program.wait_for("reload_failed")
    network.client(6379)


def test_many_names_at_once(start, start_dns, network):
    names = {f"db{i}": OLD for i in range(100)}
    start_dns().say(**names)
    network.listen(OLD)
    base = free_port(100)
    routes = [f"R{i}_PORT_{base + i}_TCP=tcp://db{i}:5432" for i in range(100)]
    program = start(*routes)
    until(lambda: len(program.said("route_started")) == 100, within=10)
    for i in range(0, 100, 9):
        network.client(base + i)
        network.accept(OLD)
    assert program.said("name_unresolved") == []
