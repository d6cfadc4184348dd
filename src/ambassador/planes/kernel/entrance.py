"""Who may take a way: a set of intervals, and a chain in front of that of the way. Pure.

It is asked for the first packet of a flow alone: only that meets the chains of translation. Who is
not in the set is not translated, and meets the relay, which refuses and counts such a client as it
does where there is no kernel plane. A set is called after what is in it, so that routes with the
same networks have one, and a list that has changed is another set: within one transaction it comes,
the ways lead through it, and the other goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from socket import AF_INET, AF_INET6, inet_ntop
from typing import NamedTuple

from ambassador.model import Ranges
from ambassador.planes.kernel.layout import TABLE

__all__ = ["LET", "Entrance", "closed", "mended", "replaced"]

LET = "let"  # what the names of entrances begin with
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
        """The name of the chain, which has that of its set in it."""
        return f"{self.set}_{self.target}"

    def rules(self) -> str:
        """Return what makes the chain; its set is there."""
        address = "ip6 saddr" if self.ipv6 else "ip saddr"
        return (
            f"add chain {TABLE} {self.chain}\n"
            f"flush chain {TABLE} {self.chain}\n"
            f"add rule {TABLE} {self.chain} {address} @{self.set} goto {self.target}"
        )

    def elements(self) -> str:
        """Return what makes the set."""
        address = "ip6 saddr" if self.ipv6 else "ip saddr"
        family, size = (AF_INET6, 16) if self.ipv6 else (AF_INET, 4)

        def text(number: int) -> str:
            return inet_ntop(family, number.to_bytes(size))

        def element(first: int, last: int) -> str:
            count = last - first + 1
            prefix = size * 8 + 1 - count.bit_length()
            if count & last - first or first % count or not prefix:  # several that touch, or all
                return f"{text(first)}-{text(last)}"
            return f"{text(first)}/{prefix}" if count > 1 else text(first)

        # As networks where they are: nft reads 5,000 in 23 ms then, and in 28 as two ends each.
        elements = ", ".join(map(element, self.ranges.firsts, self.ranges.lasts))
        # Elements within the set are a third of the work of `add element`: 25 ms of nft and the
        # kernel for 5,000 networks.
        kind = f"typeof {address}; flags interval;"
        return f"add set {TABLE} {self.set} {{ {kind} elements = {{ {elements} }}; }}\n"

    def emptied(self) -> str:
        """Return what leaves the set there with nothing in it, whatever it was."""
        address = "ip6 saddr" if self.ipv6 else "ip saddr"
        return (
            f"add set {TABLE} {self.set} {{ typeof {address}; flags interval; }}\n"
            f"flush set {TABLE} {self.set}\n"
        )


def replaced(installed: Iterable[Entrance], wanted: Iterable[Entrance]) -> tuple[str, str]:
    """Return what is done before ways through `wanted` entrances take the place of those through
    `installed` ones, and what is done then. Both speak of all ways there are.
    """
    before = {entrance.chain: entrance.set for entrance in installed}
    after = {entrance.chain: entrance for entrance in wanted}
    sets = {entrance.set: entrance for entrance in after.values()}
    here = set(before.values())
    come = [entrance.elements() for name, entrance in sets.items() if name not in here]
    gone = closed([name for name in before if name not in after], here - sets.keys())
    return "".join(come), "".join(f"{line}\n" for line in gone)


def mended(wanted: Iterable[Entrance]) -> str:
    """Return what makes the sets of `wanted` as they should be, be they there, changed or gone."""
    sets = {entrance.set: entrance for entrance in wanted}
    return "".join(entrance.emptied() + entrance.elements() for entrance in sets.values())


def closed(chains: Iterable[str], sets: Iterable[str] | None = None) -> list[str]:
    """Return what removes the `chains` of entrances, to which nothing leads, and their sets, or
    only these `sets` of them.
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
