"""A link variable names an address, /etc/hosts the alias behind it; only the name stays right.

Docker sets a link variable once, but writes /etc/hosts again whenever the linked container starts
with another address. So the endpoint of such a route is its alias.
"""

from __future__ import annotations

from dataclasses import replace

from ambassador.core.hostsfile import HostsLine
from ambassador.model import Endpoint, Inet, Route

__all__ = ["by_alias"]


def by_alias(route: Route, hosts: tuple[HostsLine, ...]) -> Route:
    """Return `route` with its alias as host where `hosts` gives the alias exactly that address;
    else unchanged.

    The engine writes variables in capitals with `_` for `-`, and the alias as it was given.
    """
    return replace(
        route,
        endpoints=tuple(_named(endpoint, route.alias, hosts) for endpoint in route.endpoints),
    )


def _named(endpoint: Endpoint, alias: str, hosts: tuple[HostsLine, ...]) -> Endpoint:
    address = endpoint.address
    if not isinstance(address, Inet):
        return endpoint
    name = _alias_at(alias, address.host, hosts)
    return replace(endpoint, address=replace(address, host=name)) if name else endpoint


def _alias_at(alias: str, host: str, hosts: tuple[HostsLine, ...]) -> str:
    wanted = alias.lower().replace("-", "_")
    for line in hosts:
        if line.address == host:
            for name in line.names:
                if name.lower().replace("-", "_") == wanted:
                    return name
    return ""
