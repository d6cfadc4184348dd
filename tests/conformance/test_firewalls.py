"""Hosts that drop, or refuse, what is forwarded: whichever plane is asked for, clients are served
and the status says by which plane and why.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import threading
import time
from pathlib import Path

import pytest

from ambassador.model import Proto
from tests.conformance.ambassador import Ambassador, route
from tests.kernel.peers import listen, udp
from tests.relay.echo import Echo
from tests.wait import until

IPV6 = socket.AF_INET6
FOLDER = Path(__file__).parent / "firewalls"
PAGE = (Path(__file__).parents[2] / "docs" / "firewalls.md").read_text()
ROUTES = (
    "T_PORT_6379_TCP=tcp://10.77.0.4:7000",
    "T6_PORT_6380_TCP=tcp://[fd77::4]:7000",
    "U_PORT_6379_UDP=udp://10.77.0.4:7053",
    "U6_PORT_6380_UDP=udp://[fd77::4]:7053",
)
SERVICES = [
    (socket.AF_INET, socket.SOCK_STREAM, 6379),
    (IPV6, socket.SOCK_STREAM, 6380),
    (socket.AF_INET, socket.SOCK_DGRAM, 6379),
    (IPV6, socket.SOCK_DGRAM, 6380),
]
ENDS = [
    (6379, "10.77.0.4:7000", Proto.TCP),
    (6380, "[fd77::4]:7000", Proto.TCP),
    (6379, "10.77.0.4:7053", Proto.UDP),
    (6380, "[fd77::4]:7053", Proto.UDP),
]
CHAIN = "table inet fw {{ chain f {{ type filter hook forward priority 0; {} }}; }}"


def nft(rules):
    def load(network):
        network.ambassador.run("nft", "-f", "-", stdin=CHAIN.format(rules))

    return load


def iptables(kind):
    def load(network):
        for program in (f"iptables-{kind}", f"ip6tables-{kind}"):
            if shutil.which(program) is None:
                pytest.skip(f"no {program}")
            network.ambassador.run(program, "-P", "FORWARD", "DROP")

    return load


def forwarding_off(network):
    network.ambassador.sysctl(net__ipv4__ip_forward=0, net__ipv6__conf__all__forwarding=0)


# What a host does, and what the reason has to name.
HINDRANCES = {
    "policy drop": (nft("policy drop; ct state established,related accept;"), "policy drop"),
    "reject": (nft("reject;"), "chain f drops forwarded packets: reject"),
    "reset": (
        nft("meta l4proto tcp reject with tcp reset; reject;"),
        "chain f drops forwarded packets",
    ),
    "answers dropped": (nft("policy drop; ct state new accept;"), "policy drop"),
    "iptables-nft": (iptables("nft"), "chain FORWARD drops forwarded packets: policy drop"),
    "iptables-legacy": (iptables("legacy"), "chain FORWARD (of iptables-legacy) drops"),
    "ip_forward off": (forwarding_off, "ip_forward is 0"),
}


@pytest.fixture
def services(network):
    listening = listen(network.old, 7000)
    echo = Echo(listening)
    datagrams = Datagrams(udp(network.old, 7053))
    yield
    echo.close()
    listening.close()
    datagrams.close()


class Datagrams:
    """Sends each datagram back, until it is closed."""

    def __init__(self, sock):
        self._sock = sock
        self._sock.settimeout(0.1)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                self._sock.sendto(*self._sock.recvfrom(65536))

    def close(self):
        self._closing.set()
        self._thread.join()
        self._sock.close()


def ask(network, family, kind, port, patience=3.0):
    """Return how long one new client waits for its answer; None when there is none."""
    with network.client.socket(family, kind) as sock:
        sock.settimeout(patience)
        began = time.monotonic()
        try:
            sock.connect((network.address("ambassador", family), port))
            sock.send(b"x")
            assert sock.recv(9) == b"x"
        except OSError:
            return None
        return time.monotonic() - began


def at_once(network, service):
    waited = ask(network, *service)
    return waited is not None and waited < 0.5


@pytest.mark.parametrize("when", ["before", "later"])
@pytest.mark.parametrize("name", HINDRANCES)
def test_every_client_is_served_at_once_and_the_reason_is_told(
    network, services, start_program, plane, name, when
):
    hinder, why = HINDRANCES[name]
    if when == "before":
        hinder(network)
    program = start_program("auto" if plane == "kernel" else "relay", *ROUTES)
    told = {event["route"]: event for event in program.events("route_started")}
    if when == "later":
        assert {event["plane"] for event in told.values()} == {plane}
        assert all(at_once(network, service) for service in SERVICES)
        hinder(network)
    for service in SERVICES:
        if when == "later" and plane == "kernel":
            until(lambda service=service: at_once(network, service), 12, what=f"{service}")
        for _ in range(3):
            assert at_once(network, service), service
    if plane == "kernel":
        said = told.values() if when == "before" else program.events("way_out")
        reasons = {event["route"]: event.get("why") or event["reason"] for event in said}
        assert set(reasons) == {"t", "t6", "u", "u6"}
        assert why in reasons["t"]
        assert program.events("way_out") == [] or when == "later"


def test_where_it_is_lifted_the_kernel_has_new_sessions_again(network, services, start_program):
    nft("policy drop;")(network)
    program = start_program("auto", *ROUTES)
    network.ambassador.run("nft", "delete", "table", "inet", "fw")
    until(lambda: len(program.events("route_plane") + program.events("way_back")) >= 4, 12)
    assert all(at_once(network, service) for service in SERVICES)


def test_rules_that_nobody_can_read_are_found_out_by_clients(network, services, monkeypatch):
    """As those of a host with iptables-legacy whose program is not in our image."""
    if shutil.which("iptables-legacy") is None:
        pytest.skip("no iptables-legacy")
    monkeypatch.setattr("ambassador.planes.kernel.host.legacy", list)
    for program in ("iptables-legacy", "ip6tables-legacy"):
        network.ambassador.run(program, "-P", "FORWARD", "DROP")
    ambassador = Ambassador(network, "kernel")
    try:
        ambassador.set(
            *(
                route(port, end, name=f"r{number}", proto=proto)
                for number, (port, end, proto) in enumerate(ENDS)
            )
        )
        for number in (0, 3):
            until(lambda number=number: at_once(network, SERVICES[number]), 15)
            assert all(at_once(network, SERVICES[number]) for _ in range(3))
            lost = until(
                lambda number=number: (
                    (status := ambassador.status(f"r{number}")).plane == "relay" and status
                ),
                5,
            )
            assert "do not get through" in lost.why
            assert lost.ways_out == {"lost": 1}
    finally:
        ambassador.close()


@pytest.mark.parametrize("name", ["policy drop", "reject", "iptables-nft", "iptables-legacy"])
def test_a_rule_of_ours_lets_what_we_forward_pass_if_that_is_wished(
    network, services, start_program, name
):
    hinder, _ = HINDRANCES[name]
    hinder(network)
    before = rules(network)
    program = start_program("auto", *ROUTES, "--forward", "accept")
    assert {event["plane"] for event in program.events("route_started")} == {"kernel"}
    assert all(at_once(network, service) for service in SERVICES)
    # What is not ours is dropped as before: the host's own way to the endpoint through us.
    said = [event["chain"] for event in program.events("forward_accepted")]
    assert len(said) == (2 if name.startswith("iptables") else 1)
    assert rules(network).count("107") == len(said)
    program.stop()
    assert rules(network) == before


def test_the_rule_of_a_killed_ambassador_goes_with_the_next_unless_it_wants_it(
    network, services, start_program
):
    nft("policy drop;")(network)
    before = rules(network)
    start_program("auto", *ROUTES, "--forward", "accept").kill()
    assert rules(network).count("107") == 1
    second = start_program("auto", *ROUTES, "--forward", "accept")
    assert second.started["plane"] == "kernel"
    assert rules(network).count("107") == 1
    second.kill()
    assert start_program("auto", *ROUTES).started["plane"] == "relay"
    assert rules(network) == before


@pytest.mark.parametrize(
    ("name", "flushed"), [("policy drop", True), ("iptables-legacy", True), ("iptables-nft", False)]
)
def test_the_rule_of_a_killed_ambassador_goes_with_one_that_only_relays(
    network, services, start_program, name, flushed
):
    hinder, _ = HINDRANCES[name]
    hinder(network)
    before = rules(network)
    start_program("auto", *ROUTES, "--forward", "accept").kill()
    assert "107" in rules(network)
    if flushed:  # nothing else of it is left
        network.ambassador.run("nft", "delete", "table", "inet", "ambassador")
    start_program("relay", *ROUTES, "--forward", "accept")
    assert "107" not in rules(network)
    if not flushed:
        assert rules(network) == before


def test_a_firewall_that_is_loaded_anew_gets_the_rule_anew(network, services, start_program):
    nft("policy drop;")(network)
    start_program("auto", *ROUTES, "--forward", "accept")
    network.ambassador.run("nft", "delete", "table", "inet", "fw")
    nft("policy drop;")(network)
    until(lambda: rules(network).count("107") == 1, 5)
    for service in SERVICES:
        until(lambda service=service: at_once(network, service), 12)


FORWARD = "drops forwarded packets: policy drop"
# The rulesets of docs/firewalls.md: which are captured from the programs, and of which versions, it
# says, as does the first line of each. What the reason has to name; empty: the kernel has it.
GUARD = "drops packets to this host: reject with icmpx admin-prohibited"
HOSTS = [
    ("docker-20.10.iptables", FORWARD, FORWARD),
    ("docker-26.iptables", FORWARD, FORWARD),
    ("docker-28.iptables", FORWARD, FORWARD),
    ("docker-29.nft", "chain filter-FORWARD may drop forwarded packets", None),
    ("ufw.iptables", FORWARD, FORWARD),
    ("ufw-routed-allowed.iptables", "", "drops packets to this host: policy drop"),
    ("firewalld-1.3.nft", "", GUARD),
    ("firewalld-2.3.nft", "", GUARD),
    ("firewalld-2.5.nft", "", GUARD),
    ("nftables.service.nft", "", ""),
    ("nftables-workstation.nft", "", "chain input drops packets to this host: counter drop"),
    ("kubernetes-node.iptables", "", ""),
]


@pytest.mark.parametrize(
    ("name", "tool", "open_port", "guarded_port"),
    [
        (name, tool, open_port, guarded_port)
        for name, open_port, guarded_port in HOSTS
        for tool in (("nft", "legacy") if name.endswith(".iptables") else ("",))
    ],
)
def test_beside_what_users_have_the_status_says_what_clients_meet(
    network, services, start_program, name, tool, open_port, guarded_port
):
    text = (FOLDER / name).read_text()
    if tool:
        network.ambassador.run(f"iptables-{tool}-restore", stdin=text)
    else:
        network.ambassador.run("nft", "-f", "-", stdin=text)
    assert f"tests/conformance/firewalls/{name}" in PAGE
    guarded = "S_PORT_6380_TCP=tcp://10.77.0.4:7000"
    program = start_program("auto", ROUTES[0], guarded)
    told = {event["route"]: event for event in program.events("route_started")}
    for route_name, expected in (("t", open_port), ("s", guarded_port)):
        if expected is not None:
            assert told[route_name]["plane"] == ("relay" if expected else "kernel"), told
            assert expected in told[route_name]["why"]
    assert at_once(network, SERVICES[0])


def rules(network):
    """Every rule of others, without what is counted."""
    tables = [
        network.ambassador.run("nft", "-s", "list", "table", *line.split()[1:])
        for line in network.ambassador.run("nft", "list", "tables").splitlines()
        if "ambassador" not in line
    ]
    for program in ("iptables-legacy-save", "ip6tables-legacy-save"):
        if shutil.which(program):
            saved = network.ambassador.run(program).splitlines()
            tables += [line.partition(" [")[0] for line in saved if not line.startswith("#")]
    return "\n".join(tables)


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("ip saddr 10.77.0.3 tcp dport 6379 accept", {True}),
        ("ip saddr 10.77.0.9 tcp dport 6379 accept", {False}),
    ],
)
def test_rules_that_guard_the_port_are_obeyed(network, services, start_program, plane, rule, kept):
    network.ambassador.run(
        *("nft", "-f", "-"),
        stdin="table inet ufw { chain i { type filter hook input priority 0; policy drop; "
        f"ct state established,related accept; iif lo accept; {rule}; }}; }}",
    )
    program = start_program("auto" if plane == "kernel" else "relay", *ROUTES[:1])
    served = {ask(network, *SERVICES[0], patience=2.0) is not None}
    assert served == kept
    if plane == "kernel":
        assert "table inet ufw chain i drops packets to this host" in program.started["why"]


@pytest.mark.parametrize("family", [socket.AF_INET, IPV6], ids=["IPv4", "IPv6"])
def test_of_two_addresses_the_silent_one_costs_only_the_first_clients_a_second(
    network, services, ambassador, family
):
    alive, dead = network.address("old", family), network.address("old", family) + "00"
    dead = "10.77.0.200" if family == socket.AF_INET else dead
    ambassador.resolve("db", alive, dead)
    ambassador.set(route(6379, "db:7000"))
    service = (family, socket.SOCK_STREAM, 6379)
    for _ in range(2):
        ask(network, *service)
    if ambassador.plane == "kernel":
        until(lambda: ambassador.status().ways_out, 5)
        until(lambda: all(at_once(network, service) for _ in range(4)), 5)  # it is installed
    assert all(at_once(network, service) for _ in range(10))
    if ambassador.plane == "kernel":
        status = ambassador.status()
        assert (status.plane, status.ways_out) == ("kernel", {"unreachable": 1})
        # Where the neighbour has been given up already, the kernel says so instead (EHOSTUNREACH).
        assert re.search(rf"{re.escape(dead)} (does not answer|cannot be reached)", status.why)


@pytest.mark.parametrize("silent", [socket.AF_INET, IPV6], ids=["IPv4", "IPv6"])
def test_a_family_that_leads_nowhere_is_served_by_the_other(network, services, ambassador, silent):
    addresses = {socket.AF_INET: "10.77.0.200", IPV6: "fd77::200"}
    other = IPV6 if silent == socket.AF_INET else socket.AF_INET
    addresses[other] = network.address("old", other)
    ambassador.resolve("db", *addresses.values())
    ambassador.set(route(6379, "db:7000"))
    for family in (silent, other):
        for _ in range(3):
            ask(network, family, socket.SOCK_STREAM, 6379)
        service = (family, socket.SOCK_STREAM, 6379)
        if ambassador.plane == "kernel":
            until(lambda: ambassador.status().ways_out, 5)
            until(lambda service=service: at_once(network, service), 5)  # it is installed
        assert all(at_once(network, service) for _ in range(5))


def answered(network, service, count=10):
    """How many of some new flows are answered at once."""
    return sum(ask(network, *service, 0.5) is not None for _ in range(count))


@pytest.mark.parametrize("family", [socket.AF_INET, IPV6], ids=["IPv4", "IPv6"])
def test_of_two_addresses_of_datagrams_the_one_nobody_has_is_found_out(
    network, services, ambassador, family
):
    """The kernel says that there is no such host, after three questions for its neighbour."""
    alive = network.address("old", family)
    dead = "10.77.0.200" if family == socket.AF_INET else "fd77::200"
    ambassador.resolve("db", dead, alive)
    ambassador.set(route(6379, "db:7053", proto=Proto.UDP))
    service = (family, socket.SOCK_DGRAM, 6379)
    until(lambda: answered(network, service) == 10, 15)
    if ambassador.plane == "kernel":
        assert ambassador.status().ways_out.keys() == {"unreachable"}
        until(lambda: ambassador.status().plane == "kernel", 10)
        assert answered(network, service) == 10


@pytest.mark.parametrize("silent", [socket.AF_INET, IPV6], ids=["IPv4", "IPv6"])
def test_a_family_of_datagrams_that_leads_nowhere_is_served_by_the_other(
    network, services, ambassador, silent
):
    addresses = {socket.AF_INET: "10.77.0.200", IPV6: "fd77::200"}
    other = IPV6 if silent == socket.AF_INET else socket.AF_INET
    addresses[other] = network.address("old", other)
    ambassador.resolve("db", *addresses.values())
    ambassador.set(route(6379, "db:7053", proto=Proto.UDP))
    for family in (other, silent):
        service = (family, socket.SOCK_DGRAM, 6379)
        until(lambda service=service: answered(network, service) == 10, 15)


def test_a_firewall_that_changes_every_second_sends_nobody_into_a_hole(
    network, services, start_program
):
    program = start_program("auto", *ROUTES)
    waited = []
    for second in range(8):
        if second % 2 == 0:
            nft("policy drop;")(network)
        else:
            network.ambassador.run("nft", "delete", "table", "inet", "fw")
        for _ in range(5):
            waited += [ask(network, *service) for service in SERVICES]
            time.sleep(0.15)  # the clients of one second
    assert sum(one is None or one > 0.5 for one in waited) <= 4
    assert len(program.events("way_out")) <= 8


def test_without_proc_sys_forwarding_is_known_all_the_same(network, services, start_program):
    script = 'mount -t tmpfs none /proc/sys; exec "$@"'
    hidden = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh")
    program = start_program("auto", *ROUTES, before=hidden)
    assert {event["plane"] for event in program.events("route_started")} == {"kernel"}
    assert all(at_once(network, service) for service in SERVICES)


def test_a_guard_is_passed_by_only_where_the_kernel_is_demanded_and_that_is_said(
    network, services, start_program
):
    network.ambassador.run(
        *("nft", "-f", "-"),
        stdin="table inet ufw { chain i { type filter hook input priority 0; policy drop; }; }",
    )
    program = start_program("kernel", *ROUTES[:1])
    assert at_once(network, SERVICES[0])
    (told,) = program.events("guard_passed_by")
    assert told["reason"].startswith("table inet ufw chain i drops packets to this host")


@pytest.mark.parametrize("family", [socket.AF_INET, IPV6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("how", ["backup", "in turn"])
def test_a_datagram_endpoint_that_refuses_is_found_out(
    network, services, start_program, plane, how, family
):
    refusing, answering = network.address("new", family), network.address("old", family)
    if family == IPV6:
        refusing, answering = f"[{refusing}]", f"[{answering}]"
    ends = f"udp://{refusing}:7053,udp://{answering}:7053" + "?backup" * (how == "backup")
    start_program("auto" if plane == "kernel" else "relay", f"R_PORT_6379_UDP={ends}")
    service = (family, socket.SOCK_DGRAM, 6379)
    until(lambda: ask(network, *service, 0.5) is not None, 5)
    answered = sum(ask(network, *service, 0.5) is not None for _ in range(10))
    assert answered >= 8


@pytest.mark.parametrize("family", [socket.AF_INET, IPV6], ids=["IPv4", "IPv6"])
def test_a_datagram_endpoint_whose_host_is_gone_leaves_its_part_to_the_backup(
    network, services, start_program, plane, family
):
    gone, answering = "10.77.0.200", network.address("old", family)
    if family == IPV6:
        gone, answering = "[fd77::200]", f"[{answering}]"
    ends = f"udp://{gone}:7053,udp://{answering}:7053?backup"
    start_program("auto" if plane == "kernel" else "relay", f"R_PORT_6379_UDP={ends}")
    service = (family, socket.SOCK_DGRAM, 6379)
    until(lambda: answered(network, service) >= 9, 15)
    assert answered(network, service, 20) >= 18
