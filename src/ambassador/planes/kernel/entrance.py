"""The entrance of a way: which clients may take it. A set of address ranges, and a chain in front
of the chain of the way. Pure.

Only the first packet of a flow meets it, as only that meets the chains of translation. A client
that is not in the set is not translated, and meets the relay, which refuses and counts it as it
does without a kernel plane. The name of a set is made from its ranges, so that routes with the same
networks share one set, and a changed list is another set: one transaction adds the new set, leads
the ways through it, and removes the old one. A large set is there before it (interval_set.py).
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from socket import AF_INET, AF_INET6, inet_ntop
from typing import NamedTuple

from ambassador.model import Ranges
from ambassador.planes.kernel.layout import TABLE

__all__ = ["LET", "Entrance", "closed", "is_large", "large", "mended", "replaced"]

LET = "let"  # the names of entrances begin with it
_MANY = 500  # ranges: less than these take nft 5 ms
_NAME = re.compile(rf"({LET}[46]_[0-9a-f]+)_")


class Entrance(NamedTuple):
    """Lets clients of `ranges` into `target`, the chain of a way."""

    ipv6: bool
    ranges: Ranges
    target: str

    @property
    def set(self) -> str:
        """The name of the set."""
        return f"{LET}{'6' if self.ipv6 else '4'}_{self.ranges.digest}"

    @property
    def chain(self) -> str:
        """The name of the chain, which contains the name of its set."""
        return f"{self.set}_{self.target}"

    def rules(self) -> str:
        """Return the commands that make the chain; its set has to exist."""
        address = "ip6 saddr" if self.ipv6 else "ip saddr"
        return (
            f"add chain {TABLE} {self.chain}\n"
            f"flush chain {TABLE} {self.chain}\n"
            f"add rule {TABLE} {self.chain} {address} @{self.set} goto {self.target}"
        )

    def elements(self) -> str:
        """Return the commands that make the set."""
        address = "ip6 saddr" if self.ipv6 else "ip saddr"
        family, size = (AF_INET6, 16) if self.ipv6 else (AF_INET, 4)

        def text(number: int) -> str:
            return inet_ntop(family, number.to_bytes(size))

        def element(first: int, last: int) -> str:
            count = last - first + 1
            prefix = size * 8 + 1 - count.bit_length()
            if count & last - first or first % count or not prefix:  # no network, or all addresses
                return f"{text(first)}-{text(last)}"
            return f"{text(first)}/{prefix}" if count > 1 else text(first)

        # Written as a network where possible: nft reads 5,000 in 23 ms, and as ranges in 28.
        elements = ", ".join(map(element, self.ranges.firsts, self.ranges.lasts))
        # Elements in the definition of the set are a third of the work of `add element`.
        kind = f"typeof {address}; flags interval;"
        return f"add set {TABLE} {self.set} {{ {kind} elements = {{ {elements} }}; }}\n"

    def emptied(self) -> str:
        """Return the commands after which the set exists and is empty, whatever it was before."""
        address = "ip6 saddr" if self.ipv6 else "ip saddr"
        return (
            f"add set {TABLE} {self.set} {{ typeof {address}; flags interval; }}\n"
            f"flush set {TABLE} {self.set}\n"
        )


def is_large(ranges: Ranges) -> bool:
    """Return whether a set of `ranges` is worth a transaction of its own."""
    return len(ranges.firsts) >= _MANY


def large(installed: Iterable[Entrance], wanted: Iterable[Entrance]) -> list[Entrance]:
    """Return an entrance for each large set that `wanted` entrances have and `installed` ones have
    not.
    """
    sets = {one.set: one for one in wanted if is_large(one.ranges)}
    here = {entrance.set for entrance in installed}
    return [one for name, one in sets.items() if name not in here]


def replaced(
    installed: Iterable[Entrance], wanted: Iterable[Entrance], made: Container[str] = ()
) -> tuple[str, str]:
    """Return two texts: commands that make new sets, except those that are `made` already, before
    the ways change; and commands that remove entrances which no way uses any longer, after it.
    `installed` and `wanted`: the entrances of all ways of the table, before and after.
    """
    before = {entrance.chain: entrance.set for entrance in installed}
    after = {entrance.chain: entrance for entrance in wanted}
    sets = {entrance.set: entrance for entrance in after.values()}
    here = set(before.values())
    come = [one.elements() for name, one in sets.items() if name not in here and name not in made]
    gone = closed([name for name in before if name not in after], here - sets.keys())
    return "".join(come), "".join(f"{line}\n" for line in gone)


def mended(wanted: Iterable[Entrance]) -> str:
    """Return the commands that restore the sets of `wanted`, also if they are changed or gone."""
    sets = {entrance.set: entrance for entrance in wanted}
    return "".join(entrance.emptied() + entrance.elements() for entrance in sets.values())


def closed(chains: Iterable[str], sets: Iterable[str] | None = None) -> list[str]:
    """Return the commands that remove `chains` of entrances, to which no rule leads, and their sets
    (if given, only these `sets`).
    """
    chains = tuple(chains)
    if sets is None:
        sets = {found[1] for name in chains if (found := _NAME.match(name))}
    return [
        *(f"delete chain {TABLE} {name}" for name in chains),
        # Where elements of any set change, nft asks the kernel for those of each set of intervals,
        # but not of one that is flushed (src/cache.c of 1.0.6): 10 ms for 5,000.
        *(f"flush set {TABLE} {name}\ndelete set {TABLE} {name}" for name in sorted(sets)),
    ]
