"""What an ambassador accepts from etcd. Pure. A limit is needed: whoever can write to etcd moves
traffic.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from ambassador.errors import ConfigError, Problem
from ambassador.model import Endpoint, Inet
from ambassador.spec import format_endpoint, is_ip, meant, shown
from ambassador.spec.networks import Network, format_networks, network_of, parse_networks

__all__ = ["ANY", "Allowed", "parse_allowed"]

_EXAMPLE = "AMBASSADOR_FLEET_ALLOW=redis,db,10.0.0.0/8"


@dataclass(frozen=True, slots=True)
class Allowed:
    """The names of routes and services that may be taken from etcd, and the networks their
    endpoints may be in; an empty field allows all.
    """

    names: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()

    def name(self, name: str, where: str) -> list[Problem]:
        """Return what is wrong with the name of a route or a service at the key `where`."""
        if not self.names or name.lower() in self.names:
            return []
        what = f'"{shown(name)}" is not allowed here{meant(name.lower(), self.names)}'
        expected = f"one of {', '.join(self.names)} (AMBASSADOR_FLEET_ALLOW)"
        return [Problem(where, what, "", expected)]

    def endpoints(self, endpoints: Iterable[Endpoint], where: str) -> list[Problem]:
        """Return what is wrong with endpoints at the key `where`."""
        if not self.networks:
            return []
        networks = [network_of(text) for text in self.networks]
        expected = f"an address in {format_networks(self.networks)} (AMBASSADOR_FLEET_ALLOW)"
        return [
            Problem(where, f"this endpoint {why}", shown(format_endpoint(endpoint)), expected)
            for endpoint in endpoints
            if (why := _outside(endpoint, networks))
        ]


ANY = Allowed()


def _outside(endpoint: Endpoint, networks: list[Network]) -> str:
    address = endpoint.address
    if not isinstance(address, Inet):
        return "is a path, and no network has paths"
    if not is_ip(address.host):
        return "is a name, which may come to mean any address"
    found = ip_address(address.host.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    if any(
        one.ipv6 == (found.version == 6) and one.first <= int(found) <= one.last for one in networks
    ):
        return ""
    return "is outside of the networks that are allowed here"


def parse_allowed(text: str, where: str) -> Allowed:
    """Return what a list of names and networks allows. Raises ConfigError."""
    names: list[str] = []
    networks: list[str] = []
    for part in (one.strip() for one in text.split(",")):
        if not part or any(char.isspace() for char in part):
            what = "an element of the list is empty or has a blank"
            raise ConfigError(Problem(where, what, shown(text), "names and networks", _EXAMPLE))
        if "/" in part or is_ip(part):
            networks += parse_networks(part, where)
        else:
            names.append(part.lower())
    return Allowed(tuple(names), tuple(networks))
