"""Rules do not outlive their process unasked: who comes next has the port, and who may not remove
what was left says so.
"""

import socket
import time

import pytest

from ambassador.model import Proto
from ambassador.planes.kernel.layout import GRACE
from ambassador.planes.kernel.leftover import flows_unseen, led_past
from tests.kernel.peers import listen, open_flows, udp
from tests.kernel.test_orphans import ask
from tests.netns import Namespace
from tests.program import Program
from tests.wait import until

UNPRIVILEGED = ("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", "--")
PORTS = ((Proto.TCP, 6379), (Proto.UDP, 53), (Proto.TCP, 80))
DATAGRAMS = "DNS_PORT_53_UDP=udp://10.77.0.4:7053"
REDIS = "REDIS_PORT_6379_TCP=tcp://10.77.0.4:7000"


def kill(program):
    program.process.kill()
    program.process.wait()


def left(network):
    return network.ambassador.call(led_past, PORTS)


def lease(network):
    return network.ambassador.run("nft", "list", "set", "inet", "ambassador", "lease")


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_killed_one_leaves_its_port_to_the_next(network, endpoint, start, family):
    upstream = network.address("old", family)
    host = f"[{upstream}]" if ":" in upstream else upstream
    program = start(f"REDIS_PORT_6379_TCP=tcp://{host}:7000", plane="kernel")
    flows = open_flows(network, endpoint, 6379, family=family)
    kill(program)
    killed = time.monotonic()
    flows += open_flows(network, endpoint, 6379, family=family)  # a supervisor has a moment
    with listen(network.ambassador, 6379) as theirs:
        theirs.settimeout(0.5)

        def has_the_port():
            with network.client.socket(family) as sock:
                sock.settimeout(5)
                sock.connect((network.address("ambassador", family), 6379))
                try:
                    theirs.accept()[0].close()
                except TimeoutError:
                    return False
                return True

        until(has_the_port, 3 * GRACE)
    assert time.monotonic() - killed < 2 * GRACE
    for client, served in flows:
        client.sendall(b"still there?")
        assert served.recv(12, socket.MSG_WAITALL) == b"still there?"
        client.close()
        served.close()


def test_new_datagrams_of_a_killed_one_go_to_the_next(network, start):
    with udp(network.old, 7053) as upstream, network.client.socket(kind=socket.SOCK_DGRAM) as one:
        program = start(DATAGRAMS, plane="kernel")
        one.sendto(b"question", (network.address("ambassador"), 53))
        assert upstream.recv(16) == b"question"
        kill(program)
        with udp(network.ambassador, 53) as theirs:
            theirs.settimeout(0.2)

            def has_the_port():
                with network.client.socket(kind=socket.SOCK_DGRAM) as new:
                    new.sendto(b"new", (network.address("ambassador"), 53))
                    try:
                        return theirs.recv(16) == b"new"
                    except TimeoutError:
                        return False

            until(has_the_port, 2 * GRACE)


def test_one_that_stands_still_is_not_dead(network, endpoint, start):
    program = start(plane="kernel")
    program.send(19)  # SIGSTOP
    network.ambassador.run("nft", "flush", "set", "inet", "ambassador", "lease")
    (pair,) = open_flows(network, endpoint, 6379)
    for sock in pair:
        sock.close()
    program.send(18)


def test_rules_that_are_to_stay_do(network, endpoint, start):
    program = start(plane="kernel", AMBASSADOR_KEEP_RULES="yes")
    assert "elements = { original }" in lease(network)
    (before,) = open_flows(network, endpoint, 6379)
    assert "expires" not in lease(network)
    kill(program)
    (after,) = open_flows(network, endpoint, 6379)
    assert "elements = { original }" in lease(network)
    for sock in (*before, *after):
        sock.close()
    start(plane="kernel")  # these end with their process again
    assert "original }" not in lease(network)


def test_anybody_may_ask_whether_clients_are_led_past(network, start):
    assert left(network) == set()
    program = start(REDIS, DATAGRAMS, plane="kernel", AMBASSADOR_KEEP_RULES="yes")
    assert left(network) == set()  # it lives
    assert network.ambassador.call(flows_unseen) == ""
    kill(program)
    assert left(network) == {(Proto.TCP, 6379), (Proto.UDP, 53)}
    assert "may still go past" in network.ambassador.call(flows_unseen)
    network.ambassador.run(
        *("nft", "-f", "-"),
        stdin="table ip theirs { chain out { type filter hook output priority -400; drop; }; }",
    )
    assert left(network) == set()  # another drops all: nothing can be told
    assert network.ambassador.call(flows_unseen) == ""


@pytest.mark.parametrize("plane", ["auto", "relay"])
def test_one_without_rights_waits_until_the_rules_of_a_killed_one_end(
    network, endpoint, start, plane
):
    kill(start_and_use(network, endpoint, start))
    second = start(plane=plane, before=UNPRIVILEGED, wait=False)
    assert "lead clients of tcp port 6379 past this one" in second.wait_for("rules_in_force")
    second.wait_for("rules_ended")
    (pair,) = open_flows(network, endpoint, 6379)
    established = network.ambassador.run("ss", "-Htn", "state", "established", "sport = :6379")
    assert len(established.splitlines()) == 1  # the relay's own
    for sock in pair:
        sock.close()


def start_and_use(network, endpoint, start, **environ):
    program = start(plane="kernel", **environ)
    for sock in open_flows(network, endpoint, 6379)[0]:
        sock.close()
    return program


@pytest.mark.parametrize("plane", ["auto", "relay"])
def test_one_without_rights_says_that_it_does_not_see_what_goes_on(
    network, endpoint, start, plane, tmp_path
):
    admin = str(tmp_path / "admin")
    first = start(plane="kernel")
    ((client, upstream),) = open_flows(network, endpoint, 6379)
    kill(first)
    network.ambassador.run("nft", "flush", "set", "inet", "ambassador", "lease")  # time goes by
    second = start(plane=plane, before=UNPRIVILEGED, AMBASSADOR_ADMIN=admin)

    def why():
        (route,) = ask(network, admin, "status")["routes"]
        return route["why"]

    assert "may still go past this one" in second.wait_for("flows_unseen")
    assert "may still go past this one" in why()
    client.sendall(b"still there?")
    assert upstream.recv(12, socket.MSG_WAITALL) == b"still there?"
    network.ambassador.run("nft", "delete", "table", "inet", "ambassador")
    assert "go past" not in why()  # nothing tells of it now
    client.close()
    upstream.close()


@pytest.mark.parametrize("plane", ["auto", "relay"])
def test_one_without_rights_does_not_start_behind_rules_that_stay(network, start, plane):
    kill(start(plane="kernel", AMBASSADOR_KEEP_RULES="yes"))
    second = start(plane=plane, before=UNPRIVILEGED, wait=False)
    assert second.exit_code(3 * GRACE) == 1
    (why,) = second.said("not_started")
    assert "lead clients of tcp port 6379 past this one" in why
    assert "nft delete table inet ambassador" in why


def test_one_that_only_relays_but_has_the_right_takes_them_away(network, endpoint, start):
    kill(start(plane="kernel", AMBASSADOR_KEEP_RULES="yes"))
    second = start(plane="relay")
    (pair,) = open_flows(network, endpoint, 6379)
    established = network.ambassador.run("ss", "-Htn", "state", "established", "sport = :6379")
    assert len(established.splitlines()) == 1
    assert not second.said("rules_in_force")
    for sock in pair:
        sock.close()


def test_where_the_loopback_is_down_nothing_is_asked_and_it_starts_all_the_same():
    bare = Namespace()
    try:
        bare.run("ip", "link", "set", "lo", "down")
        bare.run("ip", "address", "flush", "dev", "lo")  # as it is before it was ever up
        assert bare.call(led_past, PORTS) == set()
        assert bare.call(flows_unseen) == ""
        with Program(REDIS, "--plane", "relay", "--admin", "off", net=bare) as program:
            program.wait_for("ready")
    finally:
        bare.close()
