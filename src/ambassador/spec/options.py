"""The options of a route: one table for variables, files and labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ambassador.errors import ConfigError, Problem
from ambassador.model import Limit, Pick, Proto, Rate, Resolve, Route
from ambassador.spec.existing import format_existing, parse_existing
from ambassador.spec.health import OF_UDP
from ambassador.spec.limits import (
    format_limit,
    format_rate,
    parse_ban,
    parse_limit,
    parse_rate,
    refuse_wait,
)
from ambassador.spec.listening import Listening, format_listening, parse_listening, refuse_for_udp
from ambassador.spec.networks import format_networks, parse_networks
from ambassador.spec.option import Option
from ambassador.spec.sources import format_sources, parse_sources
from ambassador.spec.stores import STORES
from ambassador.spec.text import meant, shown
from ambassador.spec.tls import format_peers, parse_peers
from ambassador.spec.values import (
    format_duration,
    parse_duration,
    parse_keepalive,
    parse_pause,
    parse_pick,
    parse_word,
)

__all__ = ["OPTIONS", "Option", "format_options", "parse_option"]

_BOTH = (Proto.TCP, Proto.UDP)


OPTIONS: Mapping[str, Option] = {
    option.key: option
    for option in (
        Option(
            "listen",
            parse_listening,
            format_listening,
            _BOTH,
            "the port of the variable, on all addresses",
            "127.0.0.1:7000",
            "where clients connect; with ?proxy=required or ?proxy=from:10.0.0.0/8 a PROXY header "
            "says whose address it was; tls://:6379 takes clients over TLS (secret-hop.md)",
        ),
        Option(
            "peers",
            parse_peers,
            format_peers,
            (Proto.TCP,),
            "off",
            "client-server,spiffe://example.org/*",
            "which identities may come in where the route listens with tls://: names in "
            "certificates, * for any characters; @/PATH: a file of such names; off: every identity "
            "of the authority",
        ),
        Option(
            "pick",
            parse_pick,
            str,
            _BOTH,
            Pick.ROUNDROBIN.value,
            "least",
            "how an endpoint is chosen for a new session: " + ", ".join(p.value for p in Pick),
        ),
        Option(
            "resolve",
            lambda text, where: Resolve(parse_word(text, [one.value for one in Resolve], where)),
            str,
            _BOTH,
            Resolve.ALL.value,
            "first",
            "which addresses of a name get sessions: all, or the first while it answers",
        ),
        Option(
            "slow_start",
            parse_pause,
            format_duration,
            _BOTH,
            "off",
            "30s",
            "how long until an endpoint that is new, or works again, gets its full share of new "
            "sessions",
        ),
        Option(
            "connect",
            parse_duration,
            format_duration,
            (Proto.TCP,),
            "5s",
            "500ms",
            "how long a client is kept waiting for an endpoint that answers",
        ),
        Option(
            "idle",
            parse_duration,
            format_duration,
            (Proto.UDP,),
            "60s",
            "5m",
            "a flow without a datagram for this long is forgotten",
        ),
        Option(
            "keepalive",
            parse_keepalive,
            format_duration,
            (Proto.TCP,),
            "60s",
            "2m",
            "how long a peer is silent before TCP asks whether it is still there; a peer that is "
            "silent for twice as long is gone; off: never; the kernel plane does not ask",
        ),
        Option(
            "source",
            parse_sources,
            format_sources,
            _BOTH,
            "auto",
            "10.0.0.5,10.0.0.6",
            "addresses of this host to connect from, in turn; auto: the kernel chooses",
        ),
        Option(
            "existing",
            parse_existing,
            format_existing,
            (Proto.TCP,),
            "keep",
            "drain=30s",
            "what becomes of open connections whose endpoint has left the route: keep, drain=30s, "
            "cut, cut=50/s",
        ),
        Option(
            "allow",
            parse_networks,
            format_networks,
            _BOTH,
            "off",
            "10.0.0.0/8,192.168.1.7,fd00::/8",
            "which clients may come in: networks, addresses, @FILE with these; all: all clients; "
            "off: those of AMBASSADOR_ALLOW, and without that all clients",
        ),
        Option(
            "deny",
            parse_networks,
            format_networks,
            _BOTH,
            "off",
            "10.0.9.0/24,@/etc/ambassador/deny",
            "which clients may not come in, even if allow names them: as in allow",
        ),
        Option(
            "limit",
            parse_limit,
            format_limit,
            _BOTH,
            "off",
            "1000",
            "how many sessions may be open; more are refused, or wait: 1000,wait=2s",
        ),
        Option(
            "limit_client",
            parse_limit,
            format_limit,
            _BOTH,
            "off",
            "50",
            "how many sessions one client may have open: an IPv4 address, or the /64 of an IPv6 "
            "address",
        ),
        Option(
            "rate",
            parse_rate,
            format_rate,
            _BOTH,
            "off",
            "100/s",
            "how many new sessions may begin in this time",
        ),
        Option(
            "ban",
            parse_ban,
            format_rate,
            _BOTH,
            "off",
            "10/1m",
            "a client that was refused this often in this time is banned for as long",
        ),
        *STORES,
    )
}


def parse_option(key: str, text: str, proto: Proto, where: str = "option") -> Any:
    """Return the value of the option `key` (lower case) for a route of `proto`.

    Raises ConfigError: unknown key, an option of the other protocol, a malformed value.
    """
    option = OPTIONS.get(key)
    if option is None:
        what = f'the option "{shown(key)}" is unknown{meant(key, OPTIONS)}'
        raise ConfigError(Problem(where, what, expected=f"one of {', '.join(applicable(proto))}"))
    if proto not in option.protos:
        what = f'the option "{key}" is for {option.protos[0].upper()}, the route is {proto.upper()}'
        raise ConfigError(Problem(where, what, expected=f"one of {', '.join(applicable(proto))}"))
    try:
        value = option.parse(text, where)
    except ConfigError as error:
        raise ConfigError(
            *(
                Problem(p.where, p.what, p.read, p.expected, p.example or option.example)
                for p in error.problems
            )
        ) from None
    if proto is Proto.UDP and isinstance(value, Listening):
        refuse_for_udp(value, text, where)
    if proto is Proto.UDP and isinstance(value, Limit | Rate):
        refuse_wait(value, text, where)
    if proto is Proto.UDP and key == "health" and value and value not in OF_UDP:
        what = f"a UDP endpoint cannot be probed by {value}"
        raise ConfigError(Problem(where, what, shown(text), f"{', '.join(OF_UDP)}, or off", "dns"))
    return value


def applicable(proto: Proto) -> tuple[str, ...]:
    """Return the keys of the options a route of `proto` may have."""
    return tuple(key for key, option in OPTIONS.items() if proto in option.protos)


def format_options(route: Route) -> dict[str, str]:
    """Return the options of `route` that differ from the defaults; `listen` is always there."""
    plain = Route(route.name, route.listen, route.endpoints, route.proto)
    return {"listen": format_listening(route)} | {
        key: OPTIONS[key].format(getattr(route, key))
        for key in applicable(route.proto)
        if key != "listen" and getattr(route, key) != getattr(plain, key)
    }
