"""How the kernel plane behaves among others: their tables, other ambassadors, its own leftovers."""

from __future__ import annotations

import errno
import json
import re
import shutil
import socket
import time

import pytest

from ambassador.planes.kernel.layout import LAYOUT
from tests.kernel.conftest import ROUTE
from tests.kernel.peers import listen, open_flows
from tests.wait import until

# As Docker's: rules of others in the same namespace, an nftables and an iptables-like table.
OTHERS = """
table ip docker_dns {
  chain out { type nat hook output priority -100; ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:40053; }
  chain post { type nat hook postrouting priority srcnat; ip saddr 127.0.0.11 udp sport 40053 snat to :53; }
}
table inet theirs {
  set seen { type ipv4_addr; flags dynamic; }
  chain input { type filter hook input priority filter; policy accept; ct state invalid drop; }
}
"""  # noqa: E501


def rules(network, *what):
    return network.ambassador.run("nft", "--stateless", "list", *(what or ("ruleset",)))


def tables(network):
    """The tables there are, but for those that stand for a process that runs."""
    listed = re.findall(r"^table (.*)$", network.ambassador.run("nft", "list", "tables"), re.M)
    return [name for name in listed if not re.fullmatch(r"inet ambassador-[0-9a-f]{6}", name)]


def fields(program, name="route_started"):
    return next(event for event in program.events if event["event"] == name)


def exchange(pair, text=b"still there?"):
    client, upstream = pair
    client.sendall(text)
    assert upstream.recv(len(text), socket.MSG_WAITALL) == text
    upstream.sendall(text)
    assert client.recv(len(text), socket.MSG_WAITALL) == text


def refused(network):
    with network.client.socket() as sock:
        return sock.connect_ex((network.address("ambassador"), 6379)) == errno.ECONNREFUSED


def close(pairs):
    for pair in pairs:
        for sock in pair:
            sock.close()


def test_tables_of_others_are_as_before_while_it_runs_and_after(network, endpoint, start):
    network.ambassador.run("nft", "-f", "-", stdin=OTHERS)
    before = rules(network)
    program = start(plane="kernel")
    with_ours = rules(network)
    assert before in re.sub(r"table inet ambassador \{.*?^\}\n", "", with_ours, flags=re.S | re.M)
    close(open_flows(network, endpoint, 6379))
    assert program.stop() == 0
    assert rules(network) == before


def test_what_another_translates_is_neither_counted_nor_masked_by_us(network, endpoint, start):
    """A port that both lead elsewhere: the table that comes first in the hook has it."""
    network.ambassador.run(
        *("nft", "-f", "-"),
        stdin="""table ip first {
          chain first {
            type nat hook prerouting priority -110;
            tcp dport 6379 dnat to 10.77.0.5:7000
          }
        }""",
    )
    start(plane="kernel")
    with listen(network.new, 7000) as theirs:
        theirs.settimeout(10)
        network.new.run("ip", "route", "replace", "10.77.0.3/32", "via", "10.77.0.2")
        network.new.run("ip", "neigh", "flush", "all")
        client = network.client.socket()
        client.connect((network.address("ambassador"), 6379))
        upstream, peer = theirs.accept()
        assert peer[0] == "::ffff:10.77.0.3"  # not our address
        close([(client, upstream)])
    opened = network.ambassador.run("nft", "list", "set", "inet", "ambassador", "opened_tcp")
    assert "6379 counter packets 0" in opened


def test_a_second_ambassador_relays_beside_the_first_and_says_why(network, endpoint, start):
    start(plane="kernel")
    second = start("OTHER_PORT_6380_TCP=tcp://10.77.0.4:7000")
    assert fields(second)["plane"] == "relay"
    assert fields(second)["why"].startswith("another ambassador has the kernel plane")
    pairs = open_flows(network, endpoint, 6380) + open_flows(network, endpoint, 6379)
    exchange(pairs[0])
    assert second.stop() == 0
    exchange(pairs[1])  # the table is the first's
    close(pairs)


def test_a_second_one_that_demands_the_kernel_does_not_start(network, start):
    start(plane="kernel")
    second = start("X_PORT_6380_TCP=tcp://10.77.0.4:7000", plane="kernel", wait=False)
    assert second.exit_code() == 1
    assert "another ambassador has the kernel plane" in second.said("not_started")[0]
    assert tables(network) == ["inet ambassador"]


FOREIGN = """
table inet ambassador {
  chain theirs { type filter hook input priority filter; }
}
"""


def test_a_table_of_our_name_that_is_not_ours_is_left_alone(network, endpoint, start):
    network.ambassador.run("nft", "-f", "-", stdin=FOREIGN)
    before = rules(network)
    program = start()
    assert "that no ambassador has made" in fields(program)["why"]
    close(open_flows(network, endpoint, 6379))
    assert rules(network) == before
    assert program.stop() == 0
    demanding = start(plane="kernel", wait=False)
    assert demanding.exit_code() == 1
    assert "nft delete table inet ambassador" in demanding.said("not_started")[0]
    assert rules(network) == before


def test_a_table_of_another_layout_is_replaced(network, endpoint, start):
    text = 'table inet ambassador {\n comment "ambassador 0"\n chain old {\n }\n}\n'
    network.ambassador.run("nft", "-f", "-", stdin=text)
    start(plane="kernel")
    listed = rules(network, "table", "inet", "ambassador")
    assert f'comment "{LAYOUT}"' in listed
    assert "chain old" not in listed
    close(open_flows(network, endpoint, 6379))


def test_half_closed_flows_outlive_a_killed_ambassador_and_its_successor(network, endpoint, start):
    """The successor keeps the table: the flows' timeout policies are in it."""
    network.ambassador.sysctl(
        net__netfilter__nf_conntrack_tcp_timeout_close_wait=1,
        net__netfilter__nf_conntrack_tcp_timeout_fin_wait=1,
        net__netfilter__nf_conntrack_tcp_timeout_established=1,
    )
    first = start(plane="kernel")
    pairs = open_flows(network, endpoint, 6379, 2)
    (client, upstream), silent = pairs
    client.shutdown(socket.SHUT_WR)
    assert upstream.recv(1) == b""
    first.process.kill()
    first.process.wait()
    second = start(plane="kernel")
    assert second.said("table_adopted")
    upstream.sendall(b"after the takeover")
    assert client.recv(64) == b"after the takeover"
    quiet = time.monotonic() + 2.5  # longer than the timeouts of the namespace
    until(lambda: time.monotonic() > quiet)
    upstream.sendall(b"late")
    assert client.recv(64) == b"late"
    exchange(silent)
    close(pairs)


def test_a_relay_takes_the_traffic_back_from_a_table_that_was_left(network, endpoint, start):
    first = start(plane="kernel")
    (old,) = open_flows(network, endpoint, 6379)
    first.process.kill()
    first.process.wait()
    start(plane="relay")
    new = open_flows(network, endpoint, 6379)
    exchange(old)
    established = network.ambassador.run("ss", "-Htn", "state", "established", "sport = :6379")
    assert len(established.splitlines()) == 1  # the new one is the relay's own
    close([old, *new])


def test_a_clean_stop_without_open_flows_takes_no_time(network, endpoint, start):
    program = start(plane="kernel")
    close(open_flows(network, endpoint, 6379, 1))
    began = time.monotonic()
    program.send(15)
    assert program.exit_code() == 0
    assert time.monotonic() - began < 1.0
    assert tables(network) == []


def test_at_a_clean_stop_open_flows_have_their_grace_and_then_see_a_reset(network, endpoint, start):
    program = start(plane="kernel", AMBASSADOR_GRACE="2s")
    quick, slow = open_flows(network, endpoint, 6379, 2)
    began = time.monotonic()
    program.send(15)
    # A client that asks too early would have a session of its own.
    until(lambda: not network.ambassador.run("ss", "-Hltn", "sport = :6379"))
    until(lambda: "6379" not in rules(network, "map", "inet", "ambassador", "any4"))
    assert refused(network)
    exchange(quick)
    close([quick])
    exchange(slow)
    assert program.exit_code() == 0
    assert 2.0 < time.monotonic() - began < 12.0  # a busy machine takes its time
    assert "1 session was still open" in program.said("sessions_cut")[0]
    for sock in slow:
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    assert tables(network) == []
    close([slow])


def test_with_keep_rules_flows_and_new_connections_go_on_without_it(network, endpoint, start):
    program = start("--keep-rules", ROUTE, plane="kernel")
    before = open_flows(network, endpoint, 6379)
    assert program.stop() == 0
    after = open_flows(network, endpoint, 6379)
    for pair in before + after:
        exchange(pair)
    successor = start(plane="kernel")
    assert successor.said("table_adopted")
    for pair in before + after:
        exchange(pair)
    close(before + after)
    assert successor.stop() == 0
    assert tables(network) == []


def test_a_route_that_cannot_be_in_the_kernel_is_an_error_where_that_is_demanded(network, start):
    program = start(ROUTE, "S_PORT_80_TCP=unix:///run/s.sock", plane="kernel", wait=False)
    assert program.exit_code() == 2
    assert "cannot be in the kernel" in program.said("not_started")[0]
    assert "S_PORT_80_TCP" in program.said("not_started")[0]
    assert tables(network) == []


@pytest.mark.parametrize(
    ("lack", "message"),
    [
        ("privilege", "docker run --cap-add NET_ADMIN"),
        ("program", "the program nft is missing"),
        ("forwarding", "docker run --sysctl net.ipv4.ip_forward=1"),
    ],
)
@pytest.mark.parametrize("plane", ["kernel", "auto"])
def test_what_is_missing_is_named_with_what_gives_it(
    network, endpoint, start, tmp_path, lack, message, plane
):
    before: tuple[str, ...] = ()
    if lack == "privilege":
        before = ("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin")
    elif lack == "program":
        empty = tmp_path / "empty"
        empty.write_text("")
        script = f'mount --bind {empty} {shutil.which("nft")}; exec "$@"'
        before = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh")
    else:
        network.ambassador.sysctl(net__ipv4__ip_forward=0)
    program = start(plane=plane, wait=plane == "auto", before=before)
    if plane == "kernel":
        assert program.exit_code() == 1
        assert message in program.said("not_started")[0]
        assert "Traceback" not in "".join(program.rest)
    else:
        assert fields(program)["plane"] == "relay"
        assert message in fields(program)["why"]
        close(open_flows(network, endpoint, 6379))
    # Forwarding may be turned on: then the table gets its ways.
    ready = lack == "forwarding" and plane == "auto"
    assert tables(network) == (["inet ambassador"] if ready else [])


def test_it_uses_no_cpu_while_the_kernel_forwards(network, endpoint, start):
    program = start(plane="kernel")
    pairs = open_flows(network, endpoint, 6379, 20)

    def used():
        with open(f"/proc/{program.process.pid}/stat") as stat:  # noqa: PTH123
            after = stat.read().rpartition(")")[2].split()
        return int(after[11]) + int(after[12])  # utime and stime, in ticks of 10 ms

    program.wait_for("ready")  # what is left of the start is over
    before = used()
    for _ in range(200):
        for pair in pairs:
            exchange(pair, b"x" * 1000)
    assert used() - before <= 5  # what it does once a second; to relay them takes more than 20
    close(pairs)


def test_a_session_line_is_written_at_its_end_when_debugging(network, endpoint, start):
    program = start(plane="kernel", AMBASSADOR_LEVEL="debug")
    ((client, upstream),) = open_flows(network, endpoint, 6379)
    name = "{}:{}".format(*client.getsockname())
    upstream.sendall(b"x" * 5000)
    assert client.recv(5000, socket.MSG_WAITALL)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    close([(client, upstream)])
    program.wait_for("session_closed")
    line = fields(program, "session_closed")
    assert line["client"] == name
    assert line["route"] == "redis"
    assert line["endpoint"] == "10.77.0.4:7000"
    assert line["to_client"] > 5000 > line["to_upstream"] > 100
    assert 0 <= line["seconds"] < 10
    assert json.dumps(line)


def test_without_raw_sockets_what_may_have_to_be_cut_is_left_to_the_relay(network, start):
    program = start(
        *(ROUTE, "REDIS_PORT_6379_TCP_EXISTING=drain=5s"),
        "KEEP_PORT_6380_TCP=tcp://10.77.0.4:7000",
        before=("setpriv", "--bounding-set", "-net_raw"),
    )
    until(lambda: len(program.said("route_started")) == 2)
    planes = {
        event["route"]: event for event in program.events if event["event"] == "route_started"
    }
    assert planes["keep"]["plane"] == "kernel"
    assert planes["redis"]["plane"] == "relay"
    assert planes["redis"]["why"] == (
        "existing=drain=5s needs more: CAP_NET_RAW is missing (docker run --cap-add NET_RAW)"
    )
