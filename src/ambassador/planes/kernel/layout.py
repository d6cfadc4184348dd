"""The static part of the ruleset: one table of our own (nft(8)), in which routes are elements.

    arrive        a first packet to an address of ours: may it be translated at all?
    choose        which chain has its listen address: the maps at4, any4, at6, any6
    one4, one6    one address behind it: the maps to4, to6; ruleset.py adds chains for several
    ours, up      every packet of ours: count it; and see what an upstream answers to a SYN

Three answers of an upstream are not for the client, since the relay would wait and try again:

    a reset       is dropped, and `down_tcp` sends new clients of that port to the relay for 5 s
    an ICMP error is dropped, as long as the upstream never answered
    silence       conntrack forgets an unanswered SYN after 1 s (`syn_sent`), which is when Linux
                  repeats it (RFC 6298, section 2); `tried4` and `tried6` know the repetition,
                  and it is not translated

In each case the client's own next SYN meets the relay. A datagram has no repetition: after an ICMP
error `down_udp` sends new flows of that port to the relay for 5 s. `unsent_udp` has the ports of
first datagrams that have not left this host yet (`sent` takes them out); after a second one of that
port `lost_udp` sends new flows to the relay, for something here drops them. (Two, since two may be
under way at a time, one on each core.)

Clients at a link-local IPv6 address meet the relay too: no packet is forwarded from there (RFC
4291, section 2.5.6).

A segment that conntrack finds invalid (out of the window of its connection) belongs to no flow and
is not translated. Our own TCP would answer it with a reset, and end a connection that lives on, so
`stray` drops it: with ACK alone, since without an entry it is taken up as a new connection
(nf_conntrack_tcp_loose in nf_conntrack-sysctl.rst). With FIN, or any where that setting is 0, it is
invalid without an entry, too, and its sender, who has to hear of that, repeats it after 0.2, 0.6
and 1.4 s (RFC 6298). So `again` drops two, and what comes within 150 ms of another, as what is late
comes in one go. Where that setting is 0, one with ACK alone is traced, and an entry that is there
lets the next through (strays.py); not one with FIN, which would end its connection for the entry.

The rules are in force while their process lives: a table of its own, which the kernel deletes with
it, sets a bit of the label of each new flow (owner.py), and each flow with that bit renews `lease`.
So they end 5 s after the last client that came while it lived. An element of `lease` without a
timeout keeps them in force for ever.

Sets are declared by `typeof`: nft 1.1 writes what `type` says into the kernel in a way that makes
nft 1.0.6 crash on whatever it lists (seen with 1.1.3; rc 139). Not so where only types are joined,
and there nft 1.0.6 cannot use what `typeof` has made ("conflicting protocols"), so to4 and to6 have
types.

The peers of a flow that is cut (poke.py) are noted in `poked4` and `poked6`, for an hour. What
such a peer answers is reset by `answers` before a firewall of this host sees it, and the reset
belongs to what conntrack knows of the answer, or to nothing (`told`), so that rules about invalid
packets let it pass. `felt` notes a reset that has passed all other rules, and `answers` one that
came: only then the peer has been told; what is known of an earlier connection of the same ends goes
with the first segment (`anew`). Where that fails, an entry of conntrack takes the place of
the one that was deleted (cut_entry.py): it has the label CUT, and what belongs to it is let through
by rules that let an open connection through. `entered` takes its peer out of `poked4` and `poked6`,
for nothing of it is to be untracked. What is forwarded for others meets neither `answers` nor
`stray`.

Once a connection stands, its packets meet `poke`, `passing` or `leaving`, and `ours`, and no other
hook of ours, since a hook alone is dearer than most rules: 0.5 µs each, beside 1.1 µs for
connection tracking and translation (2 cores of a virtual machine; a call of the kernel costs most,
so each rule asks as little as it can). The label is set just before the translation, so its status
is not asked too. A segment of an upstream without SYN or RST is not for `answered` or `refused`.
(That the connection stands, ct status assured, says less: a SYN from the port of one that its
upstream has reset belongs to the same entry, until that is forgotten.) No packet goes through
`accounting`: that its rule exists has conntrack count.

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
# The table's comment. Other chains, sets or meanings need another number.
LAYOUT = "ambassador 8"

# A bit of the connection label (of 128) that says: translated by us. Marks are the usual place,
# and therefore taken by others.
LABEL = 107
# Another bit: the process these rules are of lives; see owner.py.
ALIVE = 106
# And of what stands for a connection that was cut; see cut_entry.py.
CUT = 105
# Seconds after the last new client of a process that was killed in which others are still led on.
GRACE = 5

COUNTERS = ("opened", "up", "back")  # sets, one a protocol: opened_tcp, ...


def skeleton() -> str:
    """Return the table without routes, in place of whatever table of our name there is."""
    return f"add table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n{_STATIC}}}\n"


def mended() -> str:
    """Return what makes the table whole again, be it there, damaged or gone, without touching what
    is in its sets and maps: open connections refer to its timeout policies.
    """
    table = f"table {TABLE} {{\n{_STATIC}}}\n"
    # Adding a chain that is there keeps its rules, so all are declared, emptied and filled.
    flushed = "".join(f"flush chain {TABLE} {name}\n" for name in CHAINS)
    return table + flushed + table


def strict() -> str:
    """Return what the table needs beside where connections are not taken up in the middle: what
    conntrack finds invalid may be of one that has no entry, and its sender has to hear of it.
    """
    rules = _STRAY.replace(" drop\n", " meta nftrace set 1 goto again\n")
    return f"flush chain {TABLE} stray\ntable {TABLE} {{\n  chain stray {{\n{rules}  }}\n}}\n"


def dnat_by_map(ipv6: bool) -> str:
    """Return the rule that translates to the one address of a port."""
    family = "6" if ipv6 else "4"
    return f"dnat {'ip6' if ipv6 else 'ip'} to meta l4proto . th dport map @to{family}"


def _of_family(ipv6: bool) -> str:
    end, ip, address = ("6", "ip6", "ipv6_addr") if ipv6 else ("4", "ip", "ipv4_addr")
    return f"""\
{timeout(f"tcp{end}", "tcp", ipv6, POLICY)}
  map any{end} {{ typeof meta l4proto . th dport : verdict; }}
  map at{end} {{ typeof {ip} daddr . meta l4proto . th dport : verdict; }}
  map to{end} {{ type inet_proto . inet_service : {address} . inet_service; }}
  set tried{end} {{
    typeof {ip} saddr . tcp sport . tcp dport; flags dynamic,timeout; timeout 10s; size 65535;
  }}
  set poked{end} {{
    typeof {ip} saddr . tcp sport . tcp dport; flags dynamic,timeout; timeout 1h; size 262144;
  }}
  set felt{end} {{
    typeof {ip} saddr . tcp sport . tcp dport; flags dynamic,timeout; timeout 1m; size 262144;
  }}
  set lately{end} {{
    typeof {ip} saddr . tcp sport . tcp dport; flags dynamic,timeout; timeout 150ms; size 65535;
  }}
  set strays{end} {{
    typeof {ip} saddr . tcp sport . tcp dport; flags dynamic,timeout; timeout 1m; size 65535;
  }}
  set led{end} {{ typeof {ip} saddr . tcp sport; flags dynamic; size 65535; }}
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
  set down_tcp {{ typeof tcp dport; flags dynamic,timeout; timeout 5s; size 65535; }}
  set down_udp {{ typeof udp dport; flags dynamic,timeout; timeout 5s; size 65535; }}
  set unsent_udp {{ typeof udp dport; flags dynamic,timeout; timeout 5s; size 65535; }}
  set lost_udp {{ typeof udp dport; flags dynamic,timeout; timeout 5s; size 65535; }}
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
