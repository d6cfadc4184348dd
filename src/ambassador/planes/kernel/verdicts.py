"""What a chain, and each rule in it, does to a packet. Pure.

Rules are read as nft(8) prints them; what counts as a drop is said in firewall.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from functools import lru_cache
from ipaddress import ip_address, ip_network

from ambassador.planes.kernel.firewall import Chain, Hindrance, Packet, Rules
from ambassador.planes.kernel.layout import LABEL

__all__ = ["judged", "met"]

_DEEPEST = 16  # jumps; the kernel's own limit (NFT_JUMP_STACK_SIZE in nf_tables.h)
_NUMBERS = {"tcp": "6", "udp": "17", "icmp": "1", "icmpv6": "58", "ipv6-icmp": "58"}


class _Match(IntEnum):
    NO, PERHAPS, YES = 0, 1, 2


_PASSES, _ENDS = "passes", "ends"  # the result of a chain that does not drop the packet


def met(rules: Rules, packet: Packet) -> Hindrance | None:
    """Return what drops `packet`, or may drop it, where it arrives at one interface."""
    perhaps: list[Hindrance] = []
    for base in rules.bases(packet.hook, packet.ipv6):
        found = _walk(rules, base, base, packet, perhaps)
        if isinstance(found, Hindrance):
            return found
        if found == _ENDS and base.policy == "drop":
            return Hindrance(base, base, "policy drop")
    return perhaps[0]._replace(sure=False) if perhaps else None


def _walk(
    rules: Rules,
    base: Chain,
    chain: Chain,
    packet: Packet,
    perhaps: list[Hindrance],
    *,
    depth: int = 0,
) -> Hindrance | str:
    """Return the certain result of `chain` for `packet`; add to `perhaps` what may drop it."""
    for rule in chain.rules:
        for match, verdict in judged(rule.text, packet):
            word, _, target = verdict.partition(" ")
            found: Hindrance | str = ""
            if word in ("drop", "reject", "queue"):
                found = Hindrance(chain, base, rule.text)
            elif word in ("jump", "goto") and match is not _Match.NO:
                inner = rules.jumped(chain, target)
                if inner is None or depth >= _DEEPEST:
                    found = Hindrance(chain, base, rule.text)
                else:
                    found = _walk(rules, base, inner, packet, perhaps, depth=depth + 1)
                    if found == _ENDS and word == "jump":
                        found = ""
            elif word in ("accept", "return"):
                found = _PASSES if word == "accept" else _ENDS
            if match is _Match.YES and found:
                return found
            if match is _Match.PERHAPS and isinstance(found, Hindrance):
                perhaps.append(found)
    return _ENDS


_OP = r"(?:(!=|==|<=|>=|<|>) )?"
_VALUE = r"(\{[^}]*\}|@\S+|\"[^\"]*\"|\S+)"
_SELECTOR = (
    r"(ct (?:original |reply )?(?:ip6? )?\S+|meta \S+|fib (?:\S+ \. )*\S+ \S+|[io]if(?:name|group)?"
    r"|pkttype|mark|(?:ip6?|tcp|udp|udplite|sctp|dccp|th|icmp|icmpv6|ether|arp) \S+)"
)
_NOTHING = re.compile(  # statements that let the packet go on as it is
    r"counter(?: packets \d+ bytes \d+)?"
    r"|log(?: (?:prefix \"[^\"]*\"|(?:level|group|snaplen|queue-threshold|flags) \S+))*"
    r"|comment \"[^\"]*\"|(?:meta|ct) \S+ set \S+|notrack"
)
_VERDICT = re.compile(r"(accept|drop|queue|return|continue|reject|(?:jump|goto) \S+)")
_FLAGS = re.compile(
    r"tcp flags (?:& \(?(?P<mask>[a-z0-9x|, ]+?)\)? (?P<op>==|!=) \(?(?P<value>[a-z0-9x|,]+"
    r"(?: \| [a-z]+)*)\)?|(?P<no>! )?(?P<left>[a-z,]+|0x0)(?: / (?P<right>[a-z,]+))?)(?= |$)"
)
_MAP = re.compile(rf"{_SELECTOR} vmap (\{{[^}}]*\}}|@\S+)")
_TEST = re.compile(rf"{_SELECTOR} {_OP}{_VALUE}")
_MASKED = re.compile(rf"{_SELECTOR} (?:& \S+ )(?:!=|==) \S+")


def judged(text: str, packet: Packet) -> Iterator[tuple[_Match, str]]:
    """Yield each verdict of a rule, and whether `packet` gets it."""
    match, at = _Match.YES, 0
    while at < len(text):
        if text[at] == " ":
            at += 1
        elif found := _NOTHING.match(text, at):
            at = found.end()
        elif found := _VERDICT.match(text, at):
            yield match, found[1]
            return
        elif found := _FLAGS.match(text, at):
            match, at = min(match, _flags(found, packet)), found.end()
        elif found := _MAP.match(text, at):
            for one, verdict in _mapped(found[1], found[2], packet):
                yield min(match, one), verdict
            return
        elif found := _MASKED.match(text, at):
            match, at = min(match, _Match.PERHAPS), found.end()
        elif found := _TEST.match(text, at):
            match, at = min(match, _test(found[1], found[2] or "==", found[3], packet)), found.end()
        else:
            match, at = min(match, _Match.PERHAPS), (text.find(" ", at) + 1) or len(text)
        if match is _Match.NO:
            return


def _mapped(selector: str, text: str, packet: Packet) -> Iterator[tuple[_Match, str]]:
    if text.startswith("@"):
        yield _Match.PERHAPS, "drop"
        return
    for one in text.strip("{} ").split(","):
        key, _, verdict = one.strip().rpartition(" : ")
        yield _test(selector, "==", key.strip(), packet), verdict.strip()


def _test(selector: str, op: str, value: str, packet: Packet) -> _Match:
    known = _known(selector, packet)
    if known is None or value.startswith("@") or (selector == "iifname" and "*" in value):
        return _loopback(selector, op, value)
    if known is _Match.NO:
        return _Match.NO
    assert isinstance(known, frozenset)
    hit = any(_equal(one, wanted) for one in known for wanted in _values(value))
    if op in ("==", "!="):
        return _Match.YES if hit is (op == "==") else _Match.NO
    return _compare(known, op, value)


def _compare(known: Iterable[str], op: str, value: str) -> _Match:
    try:
        left, right = int(next(iter(known))), int(value)
    except ValueError:
        return _Match.PERHAPS
    holds = {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[op]
    return _Match.YES if holds else _Match.NO


def _loopback(selector: str, op: str, value: str) -> _Match:
    """Match a fact that is not known of a client, except that it does not come over loopback."""
    places = ("ip saddr", "ip6 saddr", "ip daddr", "ip6 daddr")
    words = _values(value)
    inside = selector in ("iif", "iifname") and words == ("lo",)
    inside |= selector in places and all(_of_loopback(word) for word in words)
    if inside:
        return _Match.NO if op == "==" else _Match.YES
    return _Match.PERHAPS


@lru_cache(1024)
def _of_loopback(text: str) -> bool:
    try:
        return ip_network(text, strict=False).is_loopback
    except ValueError:
        return False


def _known(selector: str, packet: Packet) -> frozenset[str] | _Match | None:
    """Return the values of `selector` for a packet; NO: it has none; None: not known."""
    kind, _, name = selector.partition(" ")
    ip = "ip6" if packet.ipv6 else "ip"
    table: dict[str, object] = {
        "ct state": "established" if packet.reply else "new",
        "ct direction": "reply" if packet.reply else "original",
        "ct label": str(LABEL) if packet.hook == "forward" else _Match.NO,
        "iif": packet.iif,
        "iifname": packet.iif,
        "meta l4proto": packet.proto,
        "ip protocol": packet.proto,
        "ip6 nexthdr": packet.proto,
        "meta nfproto": "ipv6" if packet.ipv6 else "ipv4",
        "fib daddr type": "local" if packet.hook == "input" else "unicast",
        f"{ip} saddr": packet.saddr,
        f"{ip} daddr": packet.daddr,
    }
    if selector == "ct status":
        return frozenset(("dnat", "snat") if packet.hook == "forward" else ("none",))
    if kind in ("ip", "ip6") and kind != ip:
        return _Match.NO
    if kind in ("tcp", "udp", "th") and name in ("dport", "sport"):
        if kind not in (packet.proto, "th"):
            return _Match.NO
        table[selector] = packet.dport if name == "dport" else packet.sport
    elif kind in ("tcp", "udp", "udplite", "sctp", "dccp", "icmp", "icmpv6", "arp"):
        return None if kind == packet.proto else _Match.NO
    value = table.get(selector)
    if value is None or isinstance(value, _Match):
        return value
    return frozenset((str(value),))


@lru_cache(4096)
def _values(text: str) -> Sequence[str]:
    return tuple(one.strip().strip('"') for one in text.strip("{} ").split(","))


@lru_cache(4096)
def _equal(value: str, wanted: str) -> bool:
    if value == wanted or _NUMBERS.get(value) == wanted:
        return True
    if value.isdigit() and "-" in wanted:
        low, _, high = wanted.partition("-")
        return low.isdigit() and high.isdigit() and int(low) <= int(value) <= int(high)
    try:
        address = ip_address(value)
        if "-" in wanted:
            low, _, high = wanted.partition("-")
            return int(ip_address(low)) <= int(address) <= int(ip_address(high))
        return address in ip_network(wanted, strict=False)
    except ValueError:
        return False


def _flags(found: re.Match[str], packet: Packet) -> _Match:
    if packet.proto != "tcp":
        return _Match.NO
    has = {"syn", "ack"} if packet.reply else {"syn"}
    if found["mask"]:
        hit = has & _words(found["mask"]) == _words(found["value"])
        return _Match.YES if hit is (found["op"] == "==") else _Match.NO
    wanted = _words(found["left"])
    hit = has & _words(found["right"]) == wanted if found["right"] else bool(has & wanted)
    return _Match.YES if hit is not bool(found["no"]) else _Match.NO


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{3}", text)) & {"fin", "syn", "rst", "psh", "ack", "urg"}
