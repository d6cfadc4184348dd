"""Why a route cannot be in the kernel. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from ambassador.core.describe import describe_endpoint
from ambassador.core.plan import ChangeRoute
from ambassador.errors import ConfigError, PlaneError, Problem
from ambassador.model import Endpoint, Fate, Inet, Pick, Proto, Reason, Route, Unix
from ambassador.spec import OPTIONS, format_address, format_existing, is_ip

__all__ = ["Abilities", "crowded", "demand", "forwardable", "unable", "unable_to_end", "unsuited"]


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the kernel plane can do here. Each text, except `nft`, says why something cannot be
    done, and is empty if it can.
    """

    nft: str  # the path of the program
    missing: str  # why no route at all can be in the kernel
    no_cut: str  # why flows cannot be ended
    no_ipv4: str  # why packets of other hosts are not forwarded
    no_ipv6: str
    withheld: str = ""  # why no route is to be in the kernel, although it could


def unsuited(route: Route) -> str:
    """Return why `route` by its nature needs the relay; empty when it does not."""
    if isinstance(route.listen, Unix):
        return "it listens on a unix socket"
    if route.proxy:
        return "a PROXY header is read, which says who its clients are"
    return _unsuited_listen(route.listen.host) or _unsuited_options(route)


def _unsuited_listen(host: str) -> str:
    if host == "localhost" or (is_ip(host) and ip_address(host.partition("%")[0]).is_loopback):
        return "it listens on loopback, which only the relay leads elsewhere"
    if "%" in host:
        return "it listens on a link-local address"
    return ""


def _unsuited_options(route: Route) -> str:
    if route.tls is not None:
        return "it listens with tls://, which the relay speaks"
    for endpoint in route.endpoints:
        if why := _unsuited_endpoint(endpoint):
            return why
    if route.source:
        return "its source addresses are chosen by the relay"
    for key in ("limit", "limit_client", "rate", "ban"):
        if limit := getattr(route, key):
            return f"{key}={OPTIONS[key].format(limit)} is counted by the relay"
    return _unsuited_choice(route)


def _unsuited_choice(route: Route) -> str:
    if route.pick is Pick.LEAST and _may_choose(route):
        return "pick=least needs to know every open session"
    if route.pick is Pick.HASH and _may_choose(route):
        return "pick=hash is computed by the relay"
    if route.slow_start and len(route.endpoints) > 1:
        return "slow_start shifts clients little by little, which the relay does"
    return ""


def _unsuited_endpoint(endpoint: Endpoint) -> str:
    if endpoint.tls is not None:
        return f"the relay speaks TLS to {describe_endpoint(endpoint)}"
    if endpoint.proxy:
        return f"a PROXY header is sent to {format_address(endpoint.address)}"
    if not _may_be_forwardable(endpoint):
        return f"the kernel does not forward to {describe_endpoint(endpoint)}"
    return ""


def unable(route: Route, abilities: Abilities) -> str:
    """Return what this host lacks for a `route` that is suited; empty when it lacks nothing."""
    if abilities.missing or abilities.withheld:
        return abilities.missing or abilities.withheld
    if route.proto is Proto.TCP and abilities.no_cut and _ends_sessions(route):
        return f"existing={format_existing(route.existing)} needs more: {abilities.no_cut}"
    hosts = [e.address.host for e in route.endpoints if isinstance(e.address, Inet)]
    ipv6_only = bool(hosts) and all(":" in host and is_ip(host) for host in hosts)
    ipv4_only = all(":" not in host and is_ip(host) for host in hosts)
    if abilities.no_ipv4 and not ipv6_only and (ipv4_only or abilities.no_ipv6):
        return abilities.no_ipv4
    return abilities.no_ipv6 if ipv6_only else ""


def _ends_sessions(route: Route) -> bool:
    """Return whether some cause, in the life of `route`, ends open sessions."""
    policies = (route.existing, *(policy for _, policy in route.existing.by))
    if route.follows:
        policies = (*policies, route.existing.of(Reason.DEMOTED))
    return any(policy.fate is not Fate.KEEP for policy in policies)


def unable_to_end(change: ChangeRoute, abilities: Abilities) -> str:
    """Return why the flows of a route could not be ended as `change` wants; empty when they can."""
    policy, hindrance, route = change.existing, abilities.no_cut, change.new
    if policy is None or policy.fate is Fate.KEEP or route.proto is Proto.UDP or not hindrance:
        return ""
    return f"{route.name}: existing={format_existing(policy)} needs more: {hindrance}"


def crowded(routes: Iterable[Route]) -> Collection[tuple[Proto, int]]:
    """Return the ports that more than one route listens on (at different addresses): flows are
    counted by port.
    """
    ports = Counter(
        (route.proto, port)
        for route in routes
        if isinstance(route.listen, Inet)
        for port in route.listen.ports
    )
    return {port for port, number in ports.items() if number > 1}


@lru_cache(4096)
def forwardable(address: str) -> bool:
    """Return whether packets of another host may be sent on to the IP literal `address`."""
    if "%" in address:
        return False
    ip = ip_address(address)
    return not (ip.is_loopback or ip.is_unspecified or ip.is_link_local or ip.is_multicast)


def _may_be_forwardable(endpoint: Endpoint) -> bool:
    if isinstance(endpoint.address, Unix) or endpoint.address.host == "localhost":
        return False
    return not is_ip(endpoint.address.host) or forwardable(endpoint.address.host)


def demand(routes: Iterable[Route], abilities: Abilities) -> None:
    """Raise ConfigError or PlaneError unless all of `routes` can be in the kernel."""
    routes = tuple(routes)
    problems = [
        Problem(
            route.origin or f"route {route.name}",
            f"cannot be in the kernel: {reason}",
            expected="AMBASSADOR_PLANE=auto, which leaves such a route to the relay",
            example="AMBASSADOR_PLANE=auto",
        )
        for route in routes
        if (reason := unsuited(route))
    ]
    if problems:
        raise ConfigError(*problems)
    failures = [reason for route in routes if (reason := unable(route, abilities))]
    if failures:
        raise PlaneError(f"no kernel plane: {'; '.join(dict.fromkeys(failures))}")


def _may_choose(route: Route) -> bool:
    """Tell whether there may be several addresses to choose from: a name has any number."""
    first = [endpoint.address for endpoint in route.endpoints if not endpoint.backup]
    names = [one for one in first if isinstance(one, Inet) and not is_ip(one.host)]
    return len(first) > 1 or len(names) > 0
