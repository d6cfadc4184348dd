"""What rules of others do to a packet of ours, rule by rule."""

import pytest

from ambassador.planes.kernel.firewall import Chain, Packet, Rule, Rules, hindrance

THERE = Packet("forward", False, "tcp", daddr="10.0.0.1", dport=6379)
BACK = Packet("forward", False, "tcp", reply=True, saddr="10.0.0.1", sport=6379)
THERE6 = Packet("forward", True, "udp", daddr="fd00::1", dport=53)
ARRIVING = Packet("input", False, "tcp", dport=6379)


def chain(*rules, name="f", hook="forward", policy="accept", family="inet", kind="filter"):
    return Chain(family, "fw", name, hook, kind, policy, tuple(map(Rule, rules)))


GUARDING = chain("tcp dport 6379 drop", name="guarding", hook="", kind="")


def passes(packet, *rules, policy="accept"):
    return hindrance(Rules((chain(*rules, hook=packet.hook, policy=policy),)), packet) is None


@pytest.mark.parametrize(
    ("packet", "rule", "accepted", "dropped"),
    [
        # what matches for certain is accepted, and dropped
        (THERE, "", True, True),
        (THERE, "counter packets 0 bytes 0", True, True),
        (THERE, 'log prefix "[UFW BLOCK] "', True, True),
        (THERE, "meta l4proto tcp tcp dport 6379", True, True),
        (THERE, "tcp dport { 22, 6000-7000 }", True, True),
        (THERE, "tcp dport 6379-6380", True, True),
        (THERE, "tcp dport != 22", True, True),
        (THERE, "tcp dport > 1024", True, True),
        (THERE, "ip daddr 10.0.0.0/8", True, True),
        (THERE, "ip daddr { 192.168.0.1, 10.0.0.1 }", True, True),
        (THERE, "ip daddr 10.0.0.0-10.0.0.9", True, True),
        (THERE, "ct state new", True, True),
        (THERE, "ct state { established, new }", True, True),
        (THERE, "ct status dnat", True, True),
        (THERE, "ct label 107", True, True),
        (THERE, "ct direction original", True, True),
        (THERE, "meta nfproto ipv4", True, True),
        (THERE, "ip protocol 6", True, True),
        (THERE, "tcp flags syn / fin,syn,rst,ack", True, True),
        (THERE, "tcp flags & (fin | syn | rst | ack) == syn", True, True),
        (THERE, 'iifname != "lo"', True, True),
        (THERE, "meta mark set 0x1", True, True),
        (BACK, "ct state established,related", True, True),
        (BACK, "ip saddr 10.0.0.1 tcp sport 6379", True, True),
        (THERE6, "ip6 daddr fd00::/8 udp dport 53", True, True),
        (ARRIVING, "fib daddr type local", True, True),
        # what cannot match is neither
        (THERE, "tcp dport 22", False, False),
        (THERE, "udp dport 6379", False, False),
        (THERE, "icmp type echo-request", False, False),
        (THERE, "ip6 daddr fd00::1", False, False),
        (THERE, "ip daddr != 10.0.0.0/8", False, False),
        (THERE, "ct state invalid", False, False),
        (THERE, "ct state established,related", False, False),
        (THERE, "tcp flags & (fin | syn | rst | ack) != syn ct state new", False, False),
        (THERE, 'iifname "lo"', False, False),
        (THERE, "iif lo", False, False),
        (THERE, "ip saddr 127.0.0.0/8", False, False),
        (BACK, "ct state new", False, False),
        (ARRIVING, "ct status dnat", False, False),
        # what nobody knows accepts nobody for certain, and drops perhaps
        (THERE, "ip saddr 192.168.0.0/16", False, True),
        (THERE, "ip saddr @blocked", False, True),
        (THERE, 'iifname "docker0" oifname != "docker0"', False, True),
        (THERE, "tcp dport @open", False, True),
        (THERE, "xt match recent counter", False, True),
        (THERE, "meta mark & 0x00004000 == 0x00004000", False, True),
        (THERE, "limit rate 3/minute", False, True),
        (THERE, "words that no version has had", False, True),
        (ARRIVING, "ip daddr 192.168.0.1", False, True),
    ],
)
def test_what_a_rule_does(packet, rule, accepted, dropped):
    """`accepted` by it with `accept` under a policy of drop; `dropped` by it with `drop`."""
    assert passes(packet, f"{rule} accept".strip(), policy="drop") is accepted
    assert passes(packet, f"{rule} drop".strip()) is not dropped
    assert passes(packet, f"{rule} reject with icmpx admin-prohibited".strip()) is not dropped


@pytest.mark.parametrize(
    ("rules", "policy", "by"),
    [
        (("return",), "drop", "policy drop"),
        (("jump known", "drop"), "accept", ""),
        (("jump known",), "drop", ""),
        (("jump other",), "drop", "policy drop"),
        (("goto other", "accept"), "drop", "policy drop"),
        (("jump guarding",), "accept", "tcp dport 6379 drop"),
        (("ip saddr 10.0.0.0/8 jump guarding",), "accept", "tcp dport 6379 drop"),
        (("ip saddr 10.0.0.0/8 jump known", "drop"), "accept", "drop"),
        (("jump nowhere",), "accept", "jump nowhere"),
        (("jump circle",), "accept", "jump circle"),
        (
            ("ct state vmap { established : accept, related : accept, invalid : drop }",),
            "accept",
            "",
        ),
        (("tcp dport vmap { 22 : accept, 6379 : drop }",), "accept", "tcp dport vmap"),
        (("tcp dport vmap { 22 : drop, 6379 : jump known }",), "drop", ""),
        (("tcp dport vmap @verdicts",), "accept", "tcp dport vmap"),
        (("queue to 1",), "accept", "queue to 1"),
    ],
)
def test_where_a_packet_ends(rules, policy, by):
    around = (
        chain("accept", name="known", hook="", kind=""),
        chain("return", name="other", hook="", kind=""),
        GUARDING,
        chain("jump circle", name="circle", hook="", kind=""),
    )
    found = hindrance(Rules((chain(*rules, policy=policy), *around)), THERE)
    assert (found is None) is (by == "")
    assert found is None or found.by.startswith(by)
