"""Whether the rules of other programs let a packet pass, and which rule does not. Pure.

Rules are read as nft(8) prints them. A condition that is not understood, or that is about unknown
facts of the packet (the address of the client, its interface), matches perhaps. A rule that perhaps
drops counts as one that drops; a rule that perhaps accepts does not count. So the answer is "it
passes" only where every packet of this kind does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Chain", "Hindrance", "Packet", "Rule", "Rules", "hindrance"]

_MOST_INTERFACES = 8  # in all rules; with more, each rule about an interface matches perhaps
_HOOKS_OF = {True: ("ip6", "inet"), False: ("ip", "inet")}


class Rule(NamedTuple):
    """One rule as it is printed, without its handle."""

    text: str
    handle: str = ""


class Chain(NamedTuple):
    """A chain of another program's table; `hook` is empty if packets reach it only by a jump."""

    family: str
    table: str
    name: str
    hook: str = ""
    kind: str = ""
    policy: str = "accept"
    rules: tuple[Rule, ...] = ()
    legacy: bool = False  # of the older iptables, which nft does not show

    def __str__(self) -> str:
        where = f"table {self.family} {self.table} chain {self.name}"
        return f"{where} (of iptables-legacy)" if self.legacy else where


class Packet(NamedTuple):
    """What is known of a packet; None: not known, any value is possible."""

    hook: str  # input or forward
    ipv6: bool
    proto: str
    reply: bool = False
    saddr: str | None = None
    sport: int | None = None
    daddr: str | None = None
    dport: int | None = None
    iif: str | None = None  # the interface where it arrives; empty: one that no rule names


class Hindrance(NamedTuple):
    """A chain that drops a packet, or may drop it: its hook's `base` chain, and the rule (`by`)."""

    chain: Chain
    base: Chain
    by: str
    sure: bool = True  # else only perhaps

    def __str__(self) -> str:
        what = "forwarded packets" if self.base.hook == "forward" else "packets to this host"
        return f"{self.chain} {'drops' if self.sure else 'may drop'} {what}: {self.by}"


@dataclass(frozen=True, slots=True)
class Rules:
    """All chains of other programs."""

    chains: tuple[Chain, ...] = ()
    _named: Mapping[tuple[bool, str, str, str], Chain] = field(
        default_factory=dict, repr=False, compare=False
    )
    # A packet is judged once for each, so that all rules about one interface are seen together.
    interfaces: tuple[str | None, ...] = field(default=(None,), repr=False, compare=False)

    def __post_init__(self) -> None:
        named = {(one.legacy, one.family, one.table, one.name): one for one in self.chains}
        object.__setattr__(self, "_named", named)
        texts = {rule.text for one in self.chains for rule in one.rules if "iif" in rule.text}
        names = {name for text in texts for name in re.findall(r'"([^"*]+)"', text)} - {"lo"}
        if 0 < len(names) <= _MOST_INTERFACES:
            object.__setattr__(self, "interfaces", ("", *sorted(names)))

    def bases(self, hook: str, ipv6: bool) -> Iterator[Chain]:
        """Yield the chains that packets of one family meet at `hook`, where they may be dropped."""
        for chain in self.chains:
            if chain.hook == hook and chain.kind == "filter" and chain.family in _HOOKS_OF[ipv6]:
                yield chain

    def jumped(self, chain: Chain, name: str) -> Chain | None:
        """Return the chain `name` of the same table."""
        return self._named.get((chain.legacy, chain.family, chain.table, name))


def hindrance(rules: Rules, packet: Packet) -> Hindrance | None:
    """Return what drops `packet`, or may drop it; None where every such packet passes."""
    if not rules.chains:
        return None
    from ambassador.planes.kernel.verdicts import met  # noqa: PLC0415 (2 ms: its patterns)

    found = [met(rules, packet._replace(iif=one)) for one in rules.interfaces]
    drops = [one for one in found if one is not None]
    # The first is for an interface that no rule names: that is where most clients arrive.
    sure = found[0] is not None and found[0].sure
    return drops[0]._replace(sure=sure) if drops else None
