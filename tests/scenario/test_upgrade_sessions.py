"""An upgrade takes open sessions along: neither side of any of them can tell."""

import array
import json
import os
import platform
import signal
import socket
import sys
import threading
import time

import pytest

from ambassador.admin import client
from ambassador.core.commands import Cut, Drain, Hold, Move, Release, Sessions
from ambassador.handover.protocol import beside
from tests.conformance.scene import ends_with_reset
from tests.ports import free_port
from tests.relay.peers import port_of, read_all, read_exactly
from tests.scenario.upgrading import asks, children, connections, works
from tests.wait import until

IN_A_ROW = int(os.environ.get("UPGRADES", "5"))
BULK = os.urandom(1 << 20) * 8


def sessions(run):
    return {
        one.client.rpartition(":")[2]: one for one in client.ask(run.admin, Sessions()).sessions
    }


def of(run, sock):
    return sessions(run)[str(sock.getsockname()[1])]


def test_they_go_along_with_their_names_ages_and_numbers_and_the_old_one_ends(run, peers):
    old = run.first()
    kept = peers.connect(run.port)
    asks(kept)
    works(peers.connect(run.port))
    before = of(run, kept)
    new = run.next()
    assert "with 1 open session" in old.wait_for("handed_over")
    assert old.exit_code() == 0
    asks(kept)
    after = of(run, kept)
    assert (after.id, after.to_upstream, after.to_client) == (before.id, 16, 16)
    assert after.age >= before.age
    status = run.status()
    (route,) = status.routes
    assert (status.pid, status.earlier) == (new.process.pid, ())
    assert (route.open, route.opened, route.endpoints[0].open) == (1, 2, 1)
    assert (route.to_upstream, route.to_client) == (24, 24)
    works(peers.connect(run.port))
    with peers.connect(run.port) as other:
        asks(other)
        assert of(run, other).id not in (before.id, "r1.2")
    kept.close()
    until(lambda: run.status().routes[0].open == 0)
    assert run.status().routes[0].opened == 4


def test_after_many_in_a_row_one_process_is_left_with_no_more_descriptors(run, peers):
    run.first(measured=False)
    kept = [peers.connect(run.port) for _ in range(5)]
    for sock in kept:
        asks(sock)
    run.next(measured=False)
    until(lambda: run.programs[0].process.poll() is not None)
    until(lambda: run.status().earlier == ())
    count = run.descriptors()
    for _ in range(IN_A_ROW - 1):
        run.next(measured=False)
        for sock in kept:
            asks(sock)
        works(peers.connect(run.port))
    assert [program.exit_code() for program in run.programs[:-1]] == [0] * IN_A_ROW
    until(lambda: run.status().earlier == ())
    until(lambda: run.descriptors() <= count)
    (route,) = run.status().routes
    assert (route.open, route.opened) == (5, 4 + IN_A_ROW)
    assert route.to_upstream == (6 * IN_A_ROW - 1) * len(b"question")


def test_every_byte_of_a_slow_transfer_arrives_once_and_in_order(run, peers):
    endpoint = peers.listen()
    route = f"DB_PORT_{run.port}_TCP=tcp://127.0.0.1:{port_of(endpoint)}"
    run.first(route)
    one = peers.connect(run.port, SO_RCVBUF=8192)
    other = peers.accept(endpoint)
    for sock in (one, other):
        sock.settimeout(60)
    senders = [
        threading.Thread(target=send_all, args=(sock, data))
        for sock, data in ((one, BULK), (other, BULK[::-1]))
    ]
    for sender in senders:
        sender.start()
    read = {one: bytearray(), other: bytearray()}
    while min(map(len, read.values())) < len(BULK):
        for sock, sofar in read.items():
            if len(sofar) < len(BULK):
                sofar.extend(sock.recv(65536))
        if len(run.programs) < 4 and len(read[one]) > len(run.programs) << 20:
            run.next(route)  # the buffers are full both ways
    for sender in senders:
        sender.join(30)
    assert read[other] == BULK
    assert read[one] == BULK[::-1]
    other.shutdown(socket.SHUT_WR)
    assert read_all(one) == b""


def send_all(sock, data):
    sock.sendall(data)


@pytest.mark.parametrize("first", ["client", "upstream"])
def test_a_half_close_stays_one(run, peers, first):
    endpoint = peers.listen()
    route = f"DB_PORT_{run.port}_TCP=tcp://127.0.0.1:{port_of(endpoint)}"
    run.first(route)
    one = peers.connect(run.port)
    other = peers.accept(endpoint)
    if first == "upstream":
        one, other = other, one
    one.sendall(b"last words")
    one.shutdown(socket.SHUT_WR)
    assert read_all(other) == b"last words"
    run.next(route)
    other.sendall(b"an answer, late")
    assert read_exactly(one, 15) == b"an answer, late"
    run.next(route)
    other.close()
    assert read_all(one) == b""
    until(lambda: run.status().routes[0].open == 0)


def test_one_that_is_held_is_released_by_the_new_one_in_its_order(run, peers):
    run.first()
    client.ask(run.admin, Hold("db"))
    waiting = [peers.connect(run.port) for _ in range(3)]
    until(lambda: run.status().routes[0].held == 3)
    waiting[0].sendall(b"question")
    run.next()
    assert run.programs[0].exit_code() == 0
    (route,) = run.status().routes
    assert (route.held, route.open, route.opened) == (3, 3, 3)
    assert [one.state for one in sessions(run).values()] == ["held"] * 3
    client.ask(run.admin, Release("db"))
    assert read_exactly(waiting[0], 8) == b"question"
    for sock in waiting[1:]:
        asks(sock)


def test_a_hold_that_began_before_ends_in_its_time(run, peers):
    run.first()
    client.ask(run.admin, Hold("db", timeout=3.0))
    waiting = peers.connect(run.port)
    until(lambda: run.status().routes[0].held == 1)
    run.next()
    assert ends_with_reset(waiting)


def test_one_that_waits_for_its_endpoint_gets_it_from_the_new_one(run, peers):
    port = free_port()
    route = f"DB_PORT_{run.port}_TCP=tcp://127.0.0.1:{port}"
    run.first(route)
    waiting = peers.connect(run.port)
    waiting.sendall(b"question")
    until(lambda: [one.state for one in sessions(run).values()] == ["waiting"])
    run.next(route)
    assert run.programs[0].exit_code() == 0
    peers.echo(port=port)
    assert read_exactly(waiting, 8) == b"question"


def test_one_whose_connection_is_being_made_gets_that(run, peers):
    """The backlog of the endpoint is full: what is under way goes along."""
    endpoint = peers.listen(backlog=0)
    full = peers.connect(port_of(endpoint))
    route = f"DB_PORT_{run.port}_TCP=tcp://127.0.0.1:{port_of(endpoint)}"
    run.first(route)
    waiting = peers.connect(run.port)
    waiting.sendall(b"question")
    until(lambda: [one.state for one in sessions(run).values()] == ["waiting"])
    run.next(route)
    peers.accept(endpoint)
    full.close()
    assert read_exactly(peers.accept(endpoint), 8) == b"question"


def test_a_drain_goes_on_where_it_was(run, peers):
    run.first()
    kept = peers.connect(run.port)
    asks(kept)
    other = peers.echo()
    there = f"tcp://127.0.0.1:{other.port}"
    client.ask(run.admin, Move("db", (there,), existing="drain=6s"))
    assert of(run, kept).state == "leaving"
    run.next()
    assert of(run, kept).state == "leaving"
    asks(kept)
    assert ends_with_reset(kept)
    works(peers.connect(run.port))
    until(lambda: run.status().routes[0].open == 0)


def test_the_deadline_of_a_drain_stays_where_it_was(run, peers):
    route = f"{run.route},tcp://127.0.0.1:{peers.echo().port}"
    run.first(route)
    clients = [peers.connect(run.port) for _ in range(2)]
    for sock in clients:
        asks(sock)
    began = time.monotonic()
    client.ask(run.admin, Drain("db", f"127.0.0.1:{run.echo.port}", deadline=4))
    run.next(route)
    (kept,) = [sock for sock in clients if of(run, sock).state == "leaving"]
    asks(kept)
    assert ends_with_reset(kept)
    assert 3 < time.monotonic() - began < 6
    works(peers.connect(run.port))


def test_a_cut_at_a_rate_goes_on(run, peers):
    run.first()
    clients = [peers.connect(run.port) for _ in range(5)]
    for sock in clients:
        asks(sock)
    client.ask(run.admin, Cut("db", rate=1))
    run.next()
    assert [one.state for one in sessions(run).values()] == ["leaving"] * run.status().routes[
        0
    ].open
    assert all(map(ends_with_reset, clients))
    works(peers.connect(run.port))


def test_those_of_a_route_that_the_new_one_does_not_have_go_on_by_its_policy(run, peers):
    extra = free_port()
    web = f"WEB_PORT_{extra}_TCP=tcp://127.0.0.1:{run.echo.port}"
    old = run.first(run.route, web)
    kept = peers.connect(extra)
    asks(kept)
    run.next()
    assert old.exit_code() == 0
    asks(kept)
    assert [(one.route, one.state) for one in sessions(run).values()] == [("web", "leaving")]
    run.next()
    asks(kept)
    assert client.ask(run.admin, Cut(session=of(run, kept).id)).sessions == 1
    assert ends_with_reset(kept)


def test_those_that_lead_elsewhere_than_the_new_route_follow_its_policy(run, peers):
    run.first()
    kept = peers.connect(run.port)
    asks(kept)
    other = f"DB_PORT_{run.port}_TCP=tcp://127.0.0.1:{peers.echo().port}"
    run.next(other, f"DB_PORT_{run.port}_TCP_EXISTING=cut")
    assert ends_with_reset(kept)


def test_a_flow_of_datagrams_keeps_its_port_and_its_numbers(run, peers):
    endpoint = peers.datagrams()
    route = f"DNS_PORT_{run.port}_UDP=udp://127.0.0.1:{port_of(endpoint)}"
    run.first(route)
    one = peers.datagrams()
    one.connect(("127.0.0.1", run.port))
    one.send(b"early")
    _, flow = endpoint.recvfrom(100)
    (before,) = sessions(run).values()
    run.next(route)
    assert run.programs[0].exit_code() == 0
    endpoint.sendto(b"late", flow)
    assert one.recv(100) == b"late"
    one.send(b"again")
    assert endpoint.recvfrom(100) == (b"again", flow)
    (after,) = sessions(run).values()
    assert (after.id, after.to_upstream, after.to_client) == (before.id, 10, 4)
    (status,) = run.status().routes
    assert (status.open, status.opened, status.to_upstream) == (1, 1, 10)


def test_unix_sockets_go_along(run, peers, tmp_path):
    endpoint = tmp_path / "endpoint"
    peers.echo(str(endpoint))
    path = tmp_path / "db.sock"
    route = (
        f"DB_PORT_{run.port}_TCP=unix://{endpoint}",
        f"DB_PORT_{run.port}_TCP_LISTEN=unix://{path}",
    )
    run.first(*route)
    kept = peers.connect(str(path))
    asks(kept)
    run.next(*route)
    asks(kept)
    works(peers.connect(str(path)))


def test_what_workers_have_goes_along(run, peers):
    run.first(AMBASSADOR_WORKERS="2")
    kept = [peers.connect(run.port) for _ in range(4)]

    def spread():
        for sock in kept:
            for _ in range(50):
                asks(sock)
        pid = run.programs[0].process.pid
        return len(children(pid)) == 2 and sum(map(connections, children(pid))) >= 6

    until(spread, 20)
    run.next(AMBASSADOR_WORKERS="2")
    assert run.programs[0].exit_code() == 0
    for sock in kept:
        asks(sock)
    assert len(sessions(run)) == 4


class Successor:
    """One that can take over sessions, and does only what a test wants."""

    def __init__(self, run):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(20)
        self.sock.connect(str(beside(run.admin)))
        self.descriptors = []
        self.say(say="hello", protocol=1, version="9.9", sessions=1)
        count = self.hear("welcome")["sockets"]
        for _ in range(count and 1):
            self.say(say="more")
            self.hear("sockets")
        self.say(say="ready")

    def say(self, **message):
        self.sock.send(json.dumps(message).encode())

    def hear(self, expected=""):
        data, ancillary, _, _ = self.sock.recvmsg(65536, socket.CMSG_SPACE(4 * 253))
        found = array.array("i")
        for _, _, content in ancillary:
            found.frombytes(content)
        self.descriptors += found
        message = json.loads(data)
        assert not expected or message["say"] == expected, message
        return message

    def until_yours(self):
        while self.hear()["say"] != "yours":
            self.say(say="more")

    def end(self):
        self.sock.close()
        for one in self.descriptors:
            os.close(one)


def test_one_that_dies_or_stands_still_with_everything_in_hand_changes_nothing(run, peers):
    old = run.first()
    kept = peers.connect(run.port)
    asks(kept)
    dying = Successor(run)
    dying.until_yours()
    kept.sendall(b"question")
    dying.end()
    assert read_exactly(kept, 8) == b"question"
    still = Successor(run)
    still.until_yours()
    kept.sendall(b"question")
    assert read_exactly(kept, 8) == b"question"  # it has waited for two seconds, not longer
    until(lambda: len(old.said("upgrade_failed")) == 2)
    works(peers.connect(run.port))
    assert still.hear("no")["why"] == "it took too long"
    until(lambda: run.status().routes[0].open == 1)
    assert run.status().routes[0].opened == 2
    # What that one has still is no reason for a peer to hear late of an end.
    peer = peers.connect(run.port)
    asks(peer)
    assert client.ask(run.admin, Cut(session=of(run, kept).id)).sessions == 1
    assert ends_with_reset(kept)
    still.end()
    run.next()
    assert old.exit_code() == 0
    asks(peer)


def test_while_one_that_stands_still_has_copies_each_end_is_heard_at_once(run, peers):
    endpoint = peers.listen()
    route = f"DB_PORT_{run.port}_TCP=tcp://127.0.0.1:{port_of(endpoint)}"
    run.first(route)
    pairs = [(peers.connect(run.port), peers.accept(endpoint)) for _ in range(3)]
    for one, other in pairs:
        one.sendall(b"x")
        assert read_exactly(other, 1) == b"x"
    still = Successor(run)
    still.hear("piece")
    (first, second), (third, fourth), (fifth, sixth) = pairs
    first.close()  # an end
    assert read_all(second) == b""
    second.close()
    third.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    third.close()  # a reset
    assert ends_with_reset(fourth)
    fifth.sendall(b"y")
    assert read_exactly(sixth, 1) == b"y"
    still.end()


# Starts a program that may not call sendmsg(2), by which sockets are passed (seccomp(2)).
WITHOUT_SENDMSG = """
import ctypes, os, struct, sys
code = ((0x20, 0, 0, 0), (0x15, 0, 1, 46), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7FFF0000))
text = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *one) for one in code))
program = struct.pack("@HP", len(code), ctypes.addressof(text))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, program, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the number is that of x86_64")
def test_where_no_sockets_can_be_passed_sessions_stay_and_it_is_said(run, peers):
    before = (sys.executable, "-c", WITHOUT_SENDMSG)
    old = run.first(before=before, AMBASSADOR_WORKERS="2")
    kept = peers.connect(run.port)
    for _ in range(2000):  # enough for a worker
        asks(kept)
    new = run(AMBASSADOR_UPGRADE="yes")
    assert new.exit_code() == 1
    assert "Operation not permitted" in new.said("not_started")[0]
    assert "everything goes on as it was" in old.wait_for("upgrade_failed")
    asks(kept)
    works(peers.connect(run.port))


def test_one_that_has_too_few_descriptors_says_so_and_changes_nothing(run, peers):
    old = run.first()
    kept = [peers.connect(run.port) for _ in range(60)]
    for sock in kept:
        asks(sock)
    run.command = ("sh", "-c", 'ulimit -n 90; exec "$@"', "sh", *run.command)
    poor = run(AMBASSADOR_UPGRADE="yes")
    assert poor.exit_code() == 1
    assert "file descriptors are short here: 90" in poor.said("not_started")[0]
    assert "everything goes on as it was" in old.wait_for("upgrade_failed")
    for sock in kept:
        asks(sock)


def test_one_that_is_killed_or_stopped_while_it_takes_over_changes_nothing(run, peers):
    old = run.first()
    kept = peers.connect(run.port)
    for number in (signal.SIGKILL, signal.SIGSTOP):
        bad = run(AMBASSADOR_UPGRADE="yes")
        count = len(old.said("upgrade_asked"))
        until(lambda count=count: len(old.said("upgrade_asked")) > count, 15)
        bad.send(number)
        asks(kept)
        if len(bad.said("taken_over")) == 0:  # else it was too fast for us
            bad.process.kill()
            bad.process.wait()
    until(lambda: old.said("upgrade_failed") or old.process.poll() is not None, 20)


def test_one_whose_proxy_header_comes_late_is_introduced_by_the_new_one(run, peers):
    route = (run.route, f"DB_PORT_{run.port}_TCP_LISTEN=:{run.port}?proxy=required")
    run.first(*route)
    late = peers.connect(run.port)
    late.sendall(b"PROXY TCP4 192.0.2.1 192.")
    run.next(*route)
    late.sendall(b"0.2.2 7 8\r\n")
    asks(late)
    assert [one.client for one in client.ask(run.admin, Sessions()).sessions] == ["192.0.2.1:7"]


def test_one_that_waits_for_a_place_gets_it_in_the_new_one(run, peers):
    route = (run.route, f"DB_PORT_{run.port}_TCP_LIMIT=1,wait=20s")
    run.first(*route)
    first = peers.connect(run.port)
    asks(first)
    waiting = [peers.connect(run.port) for _ in range(2)]
    until(lambda: run.status().routes[0].held == 2)
    run.next(*route)
    assert run.status().routes[0].held == 2
    asks(first)
    first.close()
    asks(waiting[0])
    assert run.status().routes[0].held == 1
