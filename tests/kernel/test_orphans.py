"""An ambassador that takes over a table takes over its flows: it lists them, and they follow the
policy of its routes.
"""

import json
import socket

import pytest

from tests.kernel.peers import listen, open_flows, times_of_resets, udp
from tests.program import COMMAND

OLD = "tcp://10.77.0.4:7000"
NEW = "tcp://10.77.0.5:7000"
LEFT = [{}, {"AMBASSADOR_KEEP_RULES": "yes"}]


@pytest.fixture
def admin(tmp_path):
    return tmp_path / "admin.sock"


@pytest.fixture
def begin(start, admin):
    def beginning(*assignments, plane="kernel", **environ):
        return start(*assignments, plane=plane, AMBASSADOR_ADMIN=str(admin), **environ)

    return beginning


def ask(network, admin, *words):
    text = network.ambassador.run(*COMMAND, *words, "--admin", str(admin), "--json")
    return json.loads(text)


def leave(program, how):
    """End a program so that its table stays."""
    if how:
        assert program.stop() == 0
    else:
        program.process.kill()
        program.process.wait()


@pytest.mark.parametrize("how", LEFT, ids=["killed", "--keep-rules"])
@pytest.mark.parametrize("host", ["10.77.0.4", "[fd77::4]"])
def test_flows_of_an_endpoint_that_left_meanwhile_are_cut(network, endpoint, begin, how, host):
    family = socket.AF_INET6 if "[" in host else socket.AF_INET
    other = host.replace("4", "5")
    cut = "REDIS_PORT_6379_TCP_EXISTING=cut"
    leave(begin(f"REDIS_PORT_6379_TCP=tcp://{host}:7000", cut, **how), how)
    first = begin(f"REDIS_PORT_6379_TCP=tcp://{host}:7000", cut, **how)
    pairs = open_flows(network, endpoint, 6379, 3, family=family)
    leave(first, how)
    begin(f"REDIS_PORT_6379_TCP=tcp://{other}:7000", cut)
    times_of_resets(pairs)
    with listen(network.new, 7000) as new:
        new.settimeout(10)
        for sock in open_flows(network, new, 6379, family=family)[0]:
            sock.close()
    for pair in pairs:
        for sock in pair:
            sock.close()


def test_kept_they_are_listed_and_can_be_cut(network, endpoint, begin, admin):
    first = begin(f"REDIS_PORT_6379_TCP={OLD}")
    pairs = open_flows(network, endpoint, 6379, 2)
    leave(first, {})
    begin(f"REDIS_PORT_6379_TCP={NEW}")
    listed = ask(network, admin, "sessions")
    assert listed["total"] == 2
    assert {one["state"] for one in listed["sessions"]} == {"leaving"}
    ask(network, admin, "cut", "redis")
    times_of_resets(pairs)
    for pair in pairs:
        for sock in pair:
            sock.close()


def test_those_of_the_same_endpoint_go_on_whatever_the_policy(network, endpoint, begin):
    assignments = f"REDIS_PORT_6379_TCP={OLD}", "REDIS_PORT_6379_TCP_EXISTING=cut"
    first = begin(*assignments)
    pairs = open_flows(network, endpoint, 6379, 2)
    leave(first, {})
    begin(*assignments)
    for client, upstream in pairs:
        client.sendall(b"still there?")
        assert upstream.recv(12, socket.MSG_WAITALL) == b"still there?"
        client.close()
        upstream.close()


def test_those_of_a_port_without_a_route_are_listed_under_its_number(
    network, endpoint, begin, admin
):
    first = begin(f"REDIS_PORT_6379_TCP={OLD}")
    (pair,) = open_flows(network, endpoint, 6379)
    leave(first, {})
    begin(f"OTHER_PORT_80_TCP={NEW}")
    listed = ask(network, admin, "sessions")
    assert [one["route"] for one in listed["sessions"]] == ["earlier-6379"]
    for sock in pair:
        sock.close()


@pytest.mark.parametrize("how", LEFT, ids=["killed", "--keep-rules"])
@pytest.mark.parametrize("host", ["10.77.0.4", "[fd77::4]"])
def test_datagrams_of_one_port_go_to_the_new_endpoint(network, begin, how, host):
    """conntrack would lead them to the old one as long as they come."""
    family = socket.AF_INET6 if "[" in host else socket.AF_INET
    address = network.address("ambassador", family)
    with (
        udp(network.old, 7053) as old,
        udp(network.new, 7053) as new,
        network.client.socket(family, socket.SOCK_DGRAM) as client,
    ):
        client.bind(("", 5353))
        first = begin(f"DNS_PORT_53_UDP=udp://{host}:7053", **how)
        client.sendto(b"one", (address, 53))
        assert old.recv(16) == b"one"
        leave(first, how)
        begin(f"DNS_PORT_53_UDP=udp://{host.replace('4', '5')}:7053")
        client.sendto(b"two", (address, 53))
        assert new.recv(16) == b"two"


def test_one_that_only_relays_lists_and_cuts_what_is_left_in_the_kernel(
    network, endpoint, begin, admin
):
    first = begin(f"REDIS_PORT_6379_TCP={OLD}")
    pairs = open_flows(network, endpoint, 6379, 2)
    leave(first, {})
    begin(f"REDIS_PORT_6379_TCP={OLD}", "REDIS_PORT_6379_TCP_EXISTING=cut", plane="relay")
    with network.client.call(socket.create_connection, ("10.77.0.2", 6379), 10) as new:
        endpoint.accept()[0].close()  # through the relay, for the kernel leads nobody on
        assert new.recv(1) == b""
    for client, upstream in pairs:
        client.sendall(b"still there?")
        assert upstream.recv(12, socket.MSG_WAITALL) == b"still there?"
    (route,) = ask(network, admin, "status")["routes"]
    assert (route["plane"], route["why"]) == ("relay", "AMBASSADOR_PLANE=relay")
    listed = ask(network, admin, "sessions")["sessions"]
    assert [one["plane"] for one in listed] == ["kernel", "kernel"]
    ask(network, admin, "cut", "redis")
    times_of_resets(pairs)
    for pair in pairs:
        for sock in pair:
            sock.close()


def test_one_that_only_relays_cuts_those_to_an_endpoint_that_left(network, endpoint, begin):
    first = begin(f"REDIS_PORT_6379_TCP={OLD}")
    pairs = open_flows(network, endpoint, 6379, 2)
    leave(first, {})
    begin(f"REDIS_PORT_6379_TCP={NEW}", "REDIS_PORT_6379_TCP_EXISTING=cut", plane="relay")
    times_of_resets(pairs)
    for pair in pairs:
        for sock in pair:
            sock.close()
