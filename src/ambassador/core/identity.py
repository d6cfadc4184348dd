"""The names in a certificate, and whether its holder may come in."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

__all__ = ["Names", "is_at", "may_come_in", "names_of"]


class Names(NamedTuple):
    """The names in a certificate. `subject` is its common name, which counts only where there is no
    other name (RFC 9525, section 2.3, does not use it at all).
    """

    subject: str = ""
    hosts: tuple[str, ...] = ()  # DNS names, lower case
    addresses: tuple[str, ...] = ()  # IP literals as `ipaddress` writes them
    uris: tuple[str, ...] = ()  # such as SPIFFE IDs

    @property
    def all(self) -> tuple[str, ...]:
        """Every name that counts."""
        found = (*self.uris, *self.hosts, *self.addresses)
        return found or ((self.subject,) if self.subject else ())

    def __str__(self) -> str:
        """Its first name, by which logs and `sessions` call the holder."""
        return self.all[0] if self.all else "nobody"


def names_of(decoded: Iterable[tuple[str, str]], subject: str) -> Names:
    """Return the names among `decoded`, pairs as ssl.SSLSocket.getpeercert has them."""
    hosts, addresses, uris = [], [], []
    for kind, name in decoded:
        if kind == "DNS":
            hosts.append(name.lower())
        elif kind == "URI":
            uris.append(name)
        elif kind == "IP Address":
            try:
                addresses.append(str(ip_address(name.strip())))
            except ValueError:  # OpenSSL's text for an address it cannot read
                continue
    return Names(subject, tuple(hosts), tuple(addresses), tuple(uris))


def may_come_in(names: Collection[str], peers: Iterable[str]) -> bool:
    """Return whether one of `names` is among `peers`, where `*` stands for any characters; case
    does not matter. Where `peers` is empty, every name may come in.
    """
    patterns = tuple(peers)
    return not patterns or any(_pattern(one).fullmatch(name) for one in patterns for name in names)


@lru_cache(1024)
def _pattern(peer: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, peer.split("*"))), re.DOTALL | re.IGNORECASE)


@lru_cache(1024)
def is_at(host: str, names: Names, peer: str = "") -> bool:
    """Return whether the holder of a certificate with `names` may be at the IP literal `host`.
    `peer` is the name of the other side in our own bundle: it counts where the certificate has no
    addresses.
    """
    if names.addresses:
        return str(ip_address(host.partition("%")[0])) in names.addresses
    return bool(peer) and peer.lower() in map(str.lower, names.all)
