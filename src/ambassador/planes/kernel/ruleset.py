"""From ways to the text of nft transactions (nft(8)). Pure: never their execution.

A way is one element of a map, or two: so it can be changed alone, and the work for a first packet
does not grow with the number of routes. Only ways to several addresses, and each `idle` of UDP,
have chains of their own. The static part is layout.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from ambassador.model import Proto, Ranges
from ambassador.planes.kernel.entrance import LET, Entrance, closed, large, mended, replaced
from ambassador.planes.kernel.layout import COUNTERS, TABLE, dnat_by_map
from ambassador.planes.kernel.timeouts import timeout

__all__ = [
    "Key",
    "Port",
    "Share",
    "Way",
    "count",
    "counted",
    "emptied",
    "entrances",
    "entrances_mended",
    "forgive",
    "large_sets",
    "lease",
    "plain",
    "transaction",
    "uncount",
]

# The declaration of the verdict maps in layout.py, with `typeof` and with `type`.
_LISTEN, _LISTEN_TYPE = "meta l4proto . th dport : verdict", "inet_proto . inet_service : verdict"

Port = tuple[Proto, int]
Key = tuple[bool, Proto, int]


class Share(NamedTuple):
    """An address of a way, which gets new flows by its weight."""

    address: str
    port: int
    weight: int = 1


class Way(NamedTuple):
    """A way: what the kernel plane installs for one listen port in one address family, with the
    addresses (at least one) where new flows go.
    """

    proto: Proto
    port: int
    ipv6: bool
    shares: tuple[Share, ...]
    host: str = ""  # the one listen address; empty: every address of this host
    random: bool = False  # the share of a flow is chosen by chance; else in turn
    idle: int = 0  # UDP: seconds without a datagram after which a flow is forgotten
    admitted: Ranges | None = None  # clients that may take it; others reach the relay

    @property
    def key(self) -> Key:
        """Return the key of the way, which no other way has."""
        return self.ipv6, self.proto, self.port

    @property
    def family(self) -> str:
        """Return `4` or `6`, the end of the names of everything of this family."""
        return "6" if self.ipv6 else "4"

    @property
    def chain(self) -> str:
        """Return the name of the chain that translates."""
        if len(self.shares) > 1:
            return f"spread{self.family}_{self.proto}_{self.port}"
        return f"one{self.family}" if self.proto is Proto.TCP else self._patience

    @property
    def entrance(self) -> Entrance | None:
        """Return the entrance that a first packet has to pass; None where all clients may come."""
        return None if self.admitted is None else Entrance(self.ipv6, self.admitted, self.chain)

    @property
    def _patience(self) -> str:
        return f"udp{self.family}_{self.idle}"

    def chains(self) -> dict[str, str]:
        """Return the chains this way needs beside the static ones: name to definition."""
        if len(self.shares) == 1 and self.proto is Proto.TCP:
            return {}
        lines = [f"add chain {TABLE} {self.chain}", f"flush chain {TABLE} {self.chain}"]
        rule = f"add rule {TABLE} {self.chain}"
        lines.append(f"{rule} jump mark{self.family}")
        if self.proto is Proto.UDP:
            policy = {"unreplied": self.idle, "replied": self.idle}
            lines.insert(
                0, timeout(self._patience, "udp", self.ipv6, policy, f"add ct timeout {TABLE}")
            )
            lines.append(f'{rule} ct timeout set "{self._patience}"')
        if len(self.shares) > 1:
            lines += [f"{rule} {condition}{verdict}" for condition, verdict in self._spread()]
        else:
            lines.append(f"{rule} {dnat_by_map(self.ipv6)}")
        return {self.chain: "\n".join(lines)}

    def _spread(self) -> Iterable[tuple[str, str]]:
        """Yield a condition and a translation for each share: the first takes its part of all
        flows, the next its part of the rest. (With many ways an anonymous map takes 0.4 ms each.)
        """
        left = sum(share.weight for share in self.shares)
        how = "random" if self.random else "inc"
        family = "ip6" if self.ipv6 else "ip"
        for share in self.shares:
            condition = f"numgen {how} mod {left} < {share.weight} " if share.weight < left else ""
            address = f"[{share.address}]" if self.ipv6 else share.address
            yield condition, f"meta l4proto {self.proto} dnat {family} to {address}:{share.port}"
            left -= share.weight

    def elements(self) -> Iterable[tuple[str, str, str]]:
        """Yield (map, key, value) of each element this way consists of."""
        name, entrance = f"{self.proto} . {self.port}", self.entrance
        verdict = f"goto {entrance.chain if entrance else self.chain}"
        if self.host:
            yield f"at{self.family}", f"{self.host} . {name}", verdict
        else:
            yield f"any{self.family}", name, verdict
        if len(self.shares) == 1:
            (share,) = self.shares
            yield f"to{self.family}", name, f"{share.address} . {share.port}"


def entrances(
    before: Iterable[Way], after: Iterable[Way], made: Container[str] = ()
) -> tuple[str, str]:
    """Return the commands for entrances before a `transaction`, and at its end; `before` and
    `after` are all ways of the table. Empty where none has an entrance. Sets that are `made` exist.
    """
    return replaced(_entrances(before), _entrances(after), made)


def large_sets(here: Iterable[Way], ways: Iterable[Way]) -> list[Entrance]:
    """Return an entrance for each large set of ranges that `ways` need and none of the ways `here`
    has.
    """
    return large(_entrances(here), _entrances(ways))


def entrances_mended(ways: Iterable[Way]) -> str:
    """Return the commands that restore the sets of entrances for all `ways` of the table."""
    return mended(_entrances(ways))


def _entrances(ways: Iterable[Way]) -> Iterator[Entrance]:
    for way in ways:
        if (entrance := way.entrance) is not None:
            yield entrance


def transaction(before: Mapping[Key, Way], after: Mapping[Key, Way], gone: str = "") -> str:
    """Return the commands that replace the ways `before` by the ways `after`, and no others.
    `gone`: the commands that remove entrances which no way uses any longer.
    """
    old = {(where, key): value for way in before.values() for where, key, value in way.elements()}
    new = {(where, key): value for way in after.values() for where, key, value in way.elements()}
    chains = {name: text for way in after.values() for name, text in way.chains().items()}
    chains |= {
        entrance.chain: entrance.rules() for way in after.values() if (entrance := way.entrance)
    }
    lines = list(chains.values())
    lines += _elements("delete", (key for key in old if old[key] != new.get(key)))
    lines += _elements(
        "add",
        (
            (where, f"{key} : {new[where, key]}")
            for where, key in new
            if (where, key) not in old or old[where, key] != new[where, key]
        ),
    )
    lines += gone.splitlines()
    lines += [
        f"delete chain {TABLE} {way.chain}"
        for way in before.values()
        if len(way.shares) > 1 and way.chain not in chains
    ]
    return _text(lines)


def count(ports: Iterable[Port]) -> str:
    """Return the commands that begin counting the flows of `ports`."""
    return _text(_elements("add", _counters(ports)))


def counted(counters: Mapping[str, Mapping[int, object]]) -> set[Port]:
    """Return the ports that are counted, where `counters` has a counter for each set and port."""
    return {
        (proto, port)
        for proto in Proto
        for name in COUNTERS
        for port in counters.get(f"{name}_{proto}", ())
    }


def uncount(ports: Iterable[Port]) -> str:
    """Return the commands that stop counting the flows of `ports`."""
    return _text(_elements("delete", _counters(ports)))


def forgive(ports: Iterable[Port]) -> str:
    """Return the commands after which new clients of `ports` are translated, also if an upstream
    has refused a moment ago.
    """
    # Added first: only an element that exists can be deleted.
    elements = [(f"down_{proto}", str(port)) for proto, port in ports]
    return _text([*_elements("add", elements), *_elements("delete", elements)])


def lease(*, lasting: bool) -> str:
    """Return the commands by which the rules forward clients while their process lives and a moment
    after it, or, if `lasting`, until they are removed.
    """
    lines = [f"flush set {TABLE} lease"]
    if lasting:
        lines.append(f"add element {TABLE} lease {{ original }}")
    return _text(lines)


def plain(text: str) -> str:
    """Return `text` for an nft that accepts no verdicts after `typeof` (such as 1.0.2 of Ubuntu
    22.04), with `type`: what such an old nft makes of `type` every nft can read, unlike what a new
    one makes of it.
    """
    for address, key in (("ip6 daddr", "ipv6_addr"), ("ip daddr", "ipv4_addr")):
        text = text.replace(f"typeof {address} . {_LISTEN}", f"type {key} . {_LISTEN_TYPE}")
    return text.replace(f"typeof {_LISTEN}", f"type {_LISTEN_TYPE}")


def emptied(chains: Iterable[str], *, counters: bool = True) -> str:
    """Return the commands that remove all routes from a table of this layout with these `chains`;
    its counters, too, unless `counters` is false.
    """
    chains = tuple(chains)
    lines = [f"flush map {TABLE} {kind}{family}" for family in "46" for kind in ("any", "at", "to")]
    lines += closed(name for name in chains if name.startswith(LET))
    if counters:
        lines += [
            f"flush set {TABLE} {name}_{proto}"
            for name in COUNTERS
            for proto in (Proto.TCP, Proto.UDP)
        ]
    lines += [f"delete chain {TABLE} {name}" for name in chains if name.startswith("spread")]
    return _text(lines)


def _counters(ports: Iterable[Port]) -> Iterable[tuple[str, str]]:
    for proto, port in ports:
        for name in COUNTERS:
            yield f"{name}_{proto}", str(port)


def _elements(verb: str, elements: Iterable[tuple[str, str]]) -> list[str]:
    """Return one line for each map or set in `elements`, which are (its name, an element)."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for name, element in elements:
        by_name[name].append(element)
    return [
        f"{verb} element {TABLE} {name} {{ {', '.join(listed)} }}"
        for name, listed in by_name.items()
    ]


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
