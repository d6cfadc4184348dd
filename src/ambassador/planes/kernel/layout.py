"""The static part of the ruleset: one table of our own (nft(8)), in which routes are elements.

    arrive        first packets to an address of this host: may they be translated at all?
    choose        finds the chain of the listen address: by the maps at4, any4, at6, any6
    one4, one6    one address behind it: the maps to4, to6; ruleset.py adds chains for several
    ours, up      every packet of our flows: count it; and see how an upstream answers a SYN

Three answers of an upstream are kept from the client, since the relay would wait and try again:

    a reset       is dropped, and `down_tcp` sends new clients of that port to the relay for 5 s
    an ICMP error is dropped, as long as the upstream never answered
    silence       conntrack forgets an unanswered SYN after 1 s (`syn_sent`), which is when Linux
                  repeats it (RFC 6298, section 2); `tried4` and `tried6` know the repetition,
                  and it is not translated

In each case the next SYN of the client reaches the relay. A datagram is not repeated: after an ICMP
error `down_udp` sends new flows of that port to the relay for 5 s. `unsent_udp` has the ports of
first datagrams that have not left this host yet (`sent` removes them). After a second one of that
port `lost_udp` sends new flows to the relay, as something on this host drops them. (A second one,
since two may be under way at a time, one on each core.)

Clients at a link-local IPv6 address reach the relay, too: no packet is forwarded from there (RFC
4291, section 2.5.6).

A segment that conntrack finds invalid (out of the window of its connection) belongs to no flow and
is not translated. Our own TCP would answer it with a reset, and end a connection that is open. So
`stray` drops a segment with ACK alone: without an entry it would be valid, as the first of a new
connection (nf_conntrack_tcp_loose in nf_conntrack-sysctl.rst). A segment with FIN, or any segment
where that setting is 0, is invalid without an entry, too; then its sender has to get a reset. It
repeats the segment after 0.2, 0.6 and 1.4 s (RFC 6298). So `again` drops two, and any segment
within 150 ms of another, as late segments come together. Where that setting is 0, a segment with
ACK alone is traced, and if there is an entry, the next one passes (strays.py); not a segment with
FIN, which would end the connection for the entry.

The rules forward new clients while their process lives: the table of owner.py, which the kernel
deletes with the process, sets a bit of the label of each new flow, and each flow with that bit
renews `lease`. So they stop 5 s after the last client that came while the process lived. An element
of `lease` without a timeout keeps them in force for ever.

Sets are declared by `typeof`: what nft 1.1 writes into the kernel for `type` makes nft 1.0.6 crash
whatever it lists (seen with 1.1.3; rc 139). This is not so where only types are joined, and there
nft 1.0.6 cannot use what `typeof` has made ("conflicting protocols"): so to4 and to6 have types.
They have no `size`, for which the kernel would make room at once (nft_rhash_init in nft_set_hash.c;
28 MB, and 2 to 10 ms of a start): without it, those that rules write to grow as they are filled, to
at most 65,535 elements (nft_dynset_init in nft_dynset.c).

The peers of a flow that is cut (poke.py) are noted in `poked4` and `poked6`, for an hour. Answers
of such a peer are reset by `answers`, before a firewall of this host sees them; the reset belongs
to the entry of the answer, or is untracked (`told`), so that rules about invalid packets let it
pass. `felt` notes a reset that has passed all other rules, and `answers` one that came: only then
the peer has been told. The first segment (`anew`) removes such notes of an earlier connection of
the same ends. Where all this fails, an entry of conntrack takes the place of the one that was
deleted (cut_entry.py): it has the label CUT, and rules that let open connections pass let its
packets pass. `entered` removes its peer from `poked4` and `poked6`, as its packets must be tracked.
Packets that are forwarded for other hosts meet neither `answers` nor `stray`.

The packets of a connection that is set up meet `poke`, `passing` or `leaving`, and `ours`, and no
other hook of ours, since a hook alone costs more than most rules: 0.5 µs each, beside 1.1 µs for
connection tracking and translation (2 cores of a virtual machine; a call of the kernel costs most,
so each rule asks for as little as possible). The label is set just before the translation, so the
status of translation is not asked for. Segments of an upstream without SYN or RST do not reach
`answered` or `refused`. (To ask whether the connection is set up, ct status assured, is not enough:
a SYN from the port of a connection that its upstream has reset belongs to the same entry, until
that is gone.) No packet goes through `accounting`: its rule exists so that conntrack counts.

Pure.
"""

from __future__ import annotations

import re

from ambassador.model import Proto
from ambassador.planes.kernel.marks import ENTERED_MARK, FIRST_MARK, TRACKED_MARK
from ambassador.planes.kernel.questions import QUESTIONS, STANDS
from ambassador.planes.kernel.timeouts import POLICY, timeout

__all__ = [
    "ALIVE",
    "CHAINS",
    "COUNTERS",
    "CUT",
    "GRACE",
    "LABEL",
    "LAYOUT",
    "TABLE",
    "UP",
    "dnat_by_map",
    "mended",
    "skeleton",
    "strict",
]

TABLE = "inet ambassador"
# The table's comment. A change of chains, of sets or of their meaning needs another number.
LAYOUT = "ambassador 8"

# A bit of the connection label (of 128) that says: translated by us. Not a mark: other programs use
# marks.
LABEL = 107
# Another bit: the process of these rules lives; see owner.py.
ALIVE = 106
# Another bit: an entry for a connection that was cut; see cut_entry.py.
CUT = 105
# Seconds for which the rules of a process that was killed forward, after its last new client.
GRACE = 5

COUNTERS = ("opened", "up", "back")  # sets, one a protocol: opened_tcp, ...


def skeleton() -> str:
    """Return the commands that make the table without routes, in place of one with our name."""
    return f"add table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n{_STATIC}}}\n"


def mended() -> str:
    """Return the commands that restore the table, also if it is damaged or gone, and leave the
    contents of its sets and maps: open connections refer to its timeout policies.
    """
    table = f"table {TABLE} {{\n{_STATIC}}}\n"
    # To add a chain that exists keeps its rules: so all are declared, emptied and filled.
    flushed = "".join(f"flush chain {TABLE} {name}\n" for name in CHAINS)
    return table + flushed + table


def strict() -> str:
    """Return what the table needs, too, where conntrack does not take up open connections: then an
    invalid segment may be of a connection without an entry, and its sender has to get a reset.
    """
    rules = _STRAY.replace(" drop\n", " meta nftrace set 1 goto again\n")
    return f"flush chain {TABLE} stray\ntable {TABLE} {{\n  chain stray {{\n{rules}  }}\n}}\n"


def dnat_by_map(ipv6: bool) -> str:
    """Return the rule that translates to the one address of a port."""
    family = "6" if ipv6 else "4"
    return f"dnat {'ip6' if ipv6 else 'ip'} to meta l4proto . th dport map @to{family}"


def _of_family(ipv6: bool) -> str:
    end, ip, address = ("6", "ip6", "ipv6_addr") if ipv6 else ("4", "ip", "ipv4_addr")
    client = f"typeof {ip} saddr . tcp sport . tcp dport; flags dynamic,timeout"
    return f"""\
{timeout(f"tcp{end}", "tcp", ipv6, POLICY)}
  map any{end} {{ typeof meta l4proto . th dport : verdict; }}
  map at{end} {{ typeof {ip} daddr . meta l4proto . th dport : verdict; }}
  map to{end} {{ type inet_proto . inet_service : {address} . inet_service; }}
  set tried{end} {{ {client}; timeout 10s; }}
  set poked{end} {{ {client}; timeout 1h; }}
  set felt{end} {{ {client}; timeout 1m; }}
  set lately{end} {{ {client}; timeout 150ms; }}
  set strays{end} {{ {client}; timeout 1m; }}
  set led{end} {{ typeof {ip} saddr . tcp sport; flags dynamic; }}
  chain mark{end} {{
    ct label set {LABEL}
    meta l4proto tcp ct timeout set "tcp{end}"
    add @tried{end} {{ {ip} saddr . tcp sport . tcp dport }} return
    udp dport @unsent_udp add @lost_udp {{ udp dport }}
    add @unsent_udp {{ udp dport }}
    udp dport @opened_udp
  }}
  chain one{end} {{
    jump mark{end}
    {dnat_by_map(ipv6)}
  }}
"""


_LED = ("tcp dport @opened_tcp", "ip saddr . tcp sport @led4", "ip6 saddr . tcp sport @led6")
_STRAY = "    tcp flags & (syn | rst | ack) != ack accept\n" + "".join(
    [f"    tcp flags & fin == fin {one} goto again\n" for one in _LED]
    + [f"    {one} drop\n" for one in _LED]
)
UP = """\
    meta l4proto tcp ct original proto-dst @up_tcp accept
    meta l4proto udp ct original proto-dst @up_udp
"""
_SEVERAL = "limit rate over 20/minute burst 2 packets"  # the third
_PORTS = "ct original proto-src . ct original proto-dst"
_STATIC = f"""\
  comment "{LAYOUT}"
  set lease {{ typeof ct direction; flags dynamic,timeout; size 2; }}
  set down_tcp {{ typeof tcp dport; flags dynamic,timeout; timeout 5s; }}
  set down_udp {{ typeof udp dport; flags dynamic,timeout; timeout 5s; }}
  set unsent_udp {{ typeof udp dport; flags dynamic,timeout; timeout 5s; }}
  set lost_udp {{ typeof udp dport; flags dynamic,timeout; timeout 5s; }}
  set opened_tcp {{ typeof tcp dport; counter; }}
  set opened_udp {{ typeof udp dport; counter; }}
  set up_tcp {{ typeof tcp dport; counter; }}
  set up_udp {{ typeof udp dport; counter; }}
  set back_tcp {{ typeof tcp dport; counter; }}
  set back_udp {{ typeof udp dport; counter; }}
{_of_family(False)}{_of_family(True)}\
  chain choose {{
    ip daddr . meta l4proto . th dport vmap @at4
    ip6 daddr . meta l4proto . th dport vmap @at6
    meta nfproto ipv4 meta l4proto . th dport vmap @any4
    meta nfproto ipv6 meta l4proto . th dport vmap @any6
  }}
  chain arrive {{
    ip6 saddr fe80::/10 return
    ct label {ALIVE} update @lease {{ ct direction timeout {GRACE}s }}
    ct direction != @lease return
    meta l4proto udp goto datagram
    tcp flags & (fin | syn | rst | ack) != syn return
    tcp dport @down_tcp return
    ip saddr . tcp sport . tcp dport @tried4 return
    ip6 saddr . tcp sport . tcp dport @tried6 return
    goto choose
  }}
  chain datagram {{
    udp dport @down_udp return
    udp dport @lost_udp return
    goto choose
  }}
  chain sent {{
    meta l4proto udp delete @unsent_udp {{ ct original proto-dst }}
    meta l4proto udp delete @lost_udp {{ ct original proto-dst }}
  }}
  chain accounting {{
    ct bytes > 0
  }}
  chain up {{
{UP}  }}
  chain answered {{
    meta l4proto tcp ct original proto-dst @opened_tcp
    meta l4proto tcp delete @tried4 {{ ct original ip saddr . {_PORTS} }}
    meta l4proto tcp delete @tried6 {{ ct original ip6 saddr . {_PORTS} }}
    add @led4 {{ ip saddr . tcp sport }}
    add @led6 {{ ip6 saddr . tcp sport }}
  }}
  chain refused {{
    meta l4proto tcp add @down_tcp {{ ct original proto-dst }} drop
  }}
  chain unreachable {{
    meta nfproto ipv4 ct original protocol udp add @down_udp {{ ct original proto-dst }}
    meta nfproto ipv6 ct original protocol udp add @down_udp {{ ct original proto-dst }}
    ct status ! seen-reply drop
  }}
  chain ours {{
    ct direction original goto up
    meta l4proto tcp ct original proto-dst @back_tcp tcp flags & (syn | rst) == 0 accept
    meta l4proto udp ct original proto-dst @back_udp ct status assured accept
    tcp flags & (syn | rst | ack) == (syn | ack) goto answered
    tcp flags & (syn | rst | ack) == (rst | ack) tcp sequence 0 goto refused
    icmp type destination-unreachable icmp code != frag-needed goto unreachable
    icmpv6 type destination-unreachable goto unreachable
  }}
  chain prerouting {{
    type nat hook prerouting priority dstnat;
    fib daddr type local jump arrive
  }}
  chain asked {{
    ip daddr {QUESTIONS[Proto.TCP]} udp dport @opened_tcp ct direction @lease drop
    ip daddr {QUESTIONS[Proto.UDP]} udp dport @opened_udp ct direction @lease drop
    ip daddr {STANDS} drop
  }}
  chain output {{
    type nat hook output priority -100;
    meta mark & 0xfffffffc == {FIRST_MARK:#x} return
    ip daddr 224.0.0.0/24 goto asked
    ip daddr 127.0.0.0/8 return
    ip6 daddr ::1 return
    fib daddr type local jump arrive
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    ct label {LABEL} jump sent
    oif lo accept
    ct label {LABEL} ct status dnat masquerade
  }}
  chain here {{
    type nat hook input priority 100;
    ct label {LABEL} jump sent
  }}
  chain passing {{
    type filter hook prerouting priority -90;
    iif lo accept
    ct label {LABEL} goto ours
    tcp flags & rst == rst ct label {CUT} goto answers
    ct state established accept
    ip saddr . tcp sport . tcp dport @poked4 goto answers
    ip6 saddr . tcp sport . tcp dport @poked6 goto answers
    ct state invalid fib daddr type local goto stray
  }}
  chain answers {{
    fib daddr type != local accept
    tcp flags & rst == rst add @felt4 {{ ip saddr . tcp sport . tcp dport }}
    tcp flags & rst == rst add @felt6 {{ ip6 saddr . tcp sport . tcp dport }}
    tcp flags & (syn | rst | ack) == ack reject with tcp reset
  }}
  chain again {{
    ip saddr . tcp sport . tcp dport @lately4 drop
    ip6 saddr . tcp sport . tcp dport @lately6 drop
    add @lately4 {{ ip saddr . tcp sport . tcp dport }}
    add @lately6 {{ ip6 saddr . tcp sport . tcp dport }}
    update @strays4 {{ ip saddr . tcp sport . tcp dport {_SEVERAL} }} accept
    update @strays6 {{ ip6 saddr . tcp sport . tcp dport {_SEVERAL} }} accept
    drop
  }}
  chain stray {{
{_STRAY}  }}
  chain leaving {{
    type filter hook output priority 300;
    ct label {LABEL} goto ours
    tcp flags & rst == rst goto felt
  }}
  chain poke {{
    type filter hook output priority raw;
    tcp flags & rst == rst goto told
    meta mark & 0xfffffffc != {FIRST_MARK:#x} accept
    meta mark {ENTERED_MARK:#x} goto entered
    meta mark {TRACKED_MARK:#x} notrack accept
    meta mark {FIRST_MARK:#x} jump anew
    update @poked4 {{ ip daddr . tcp dport . tcp sport }}
    update @poked6 {{ ip6 daddr . tcp dport . tcp sport }}
    tcp flags & ack == ack notrack
  }}
  chain anew {{
    delete @felt4 {{ ip daddr . tcp dport . tcp sport }}
    delete @felt6 {{ ip6 daddr . tcp dport . tcp sport }}
  }}
  chain entered {{
    delete @poked4 {{ ip daddr . tcp dport . tcp sport }}
    delete @poked6 {{ ip6 daddr . tcp dport . tcp sport }}
  }}
  chain told {{
    ip daddr . tcp dport . tcp sport @poked4 notrack
    ip6 daddr . tcp dport . tcp sport @poked6 notrack
  }}
  chain ended {{
    add @felt4 {{ ip daddr . tcp dport . tcp sport }}
    add @felt6 {{ ip6 daddr . tcp dport . tcp sport }}
  }}
  chain felt {{
    ct label {CUT} goto ended
    ip daddr . tcp dport . tcp sport @poked4 add @felt4 {{ ip daddr . tcp dport . tcp sport }}
    ip6 daddr . tcp dport . tcp sport @poked6 add @felt6 {{ ip6 daddr . tcp dport . tcp sport }}
  }}
"""

CHAINS = tuple(re.findall(r"^  chain (\S+) \{", _STATIC, re.MULTILINE))  # without a route
