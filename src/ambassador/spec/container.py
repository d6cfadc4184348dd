"""Endpoints whose addresses are looked up elsewhere: a container by name or labels, an SRV record.

    docker://NAME[:PORT][/udp][?label=KEY[=VALUE]][&network=NAME][&wake][&sleep=DURATION]
    podman://...                                        the same, another default socket
    srv://_SERVICE._tcp.DOMAIN

The host of their address is the whole text in one canonical form (without `backup` and `weight`),
so that it is the same name, however it was written. `Inet.port` is 0 if the port is not known yet.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import quote, unquote

from ambassador.model import Endpoint, Inet, Proto
from ambassador.spec.address import read_ports
from ambassador.spec.text import Malformed, shown
from ambassador.spec.values import format_duration, read_duration

__all__ = [
    "ENGINES",
    "KEYS",
    "Container",
    "container_of",
    "format_container",
    "is_asked",
    "is_container",
    "owned",
    "read_container",
    "read_srv",
]

ENGINES = ("docker", "podman")
KEYS = ("label", "network", "sleep", "wake")
_FORM = "docker://NAME[:PORT], docker://SERVICE.PROJECT[:PORT] or docker://?label=KEY=VALUE"
_SRV = "srv://_SERVICE._tcp.DOMAIN or srv://_SERVICE._udp.DOMAIN"
# A name as engines allow it (moby, daemon/names/names.go: RestrictedNameChars); an id fits, too.
_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_SRV_NAME = r"(_[A-Za-z0-9-]{1,62})\.(_tcp|_udp)((\.[A-Za-z0-9_-]{1,63})+)\.?"
_SAFE = "/._-~=:@"  # of a label or network, unescaped in a URL
_SHORTEST_SLEEP = 1.0


class Container(NamedTuple):
    """The parts of an endpoint that names containers. `port` is 0 if none is written; each of
    `labels` is `KEY` or `KEY=VALUE`. `sleep`: after so many seconds without a session, a container
    that was woken is stopped again; 0: it is not stopped.
    """

    scheme: str = "docker"
    name: str = ""
    port: int = 0
    last: int = 0
    proto: Proto = Proto.TCP
    labels: tuple[str, ...] = ()
    network: str = ""
    wake: bool = False
    sleep: float = 0.0


def is_asked(host: str) -> bool:
    """Return whether `host` is a text of this module, and no name for DNS."""
    return "://" in host


def is_container(host: str) -> bool:
    """Return whether `host` names containers."""
    return host.startswith(("docker://", "podman://"))


def format_container(one: Container) -> str:
    """Return the canonical text, which is the host of its address."""
    ports = f":{one.port}" if one.port else ""
    ports += f"-{one.last}" if one.last else ""
    proto = "/udp" if one.proto is Proto.UDP else ""
    options = [f"label={quote(label, _SAFE)}" for label in one.labels]
    options += [f"network={quote(one.network, _SAFE)}"] if one.network else []
    options += ["wake"] if one.wake else []
    options += [f"sleep={format_duration(one.sleep)}"] if one.sleep else []
    query = f"?{'&'.join(options)}" if options else ""
    return f"{one.scheme}://{one.name}{ports}{proto}{query}"


def container_of(host: str) -> Container:
    """Return the parts of the canonical text `host`. Raises Malformed."""
    scheme, _, rest = host.partition("://")
    location, _, query = rest.partition("?")
    return _read(scheme, location, [one for one in query.split("&") if one], None)


def read_container(
    scheme: str, location: str, options: list[str], proto: Proto | None
) -> tuple[Inet, Proto]:
    """Return the address and the protocol of an endpoint; `options` are those of `KEYS`. Raises
    Malformed.
    """
    one = _read(scheme, location, options, proto)
    return Inet(format_container(one), one.port, one.last), one.proto


def read_srv(location: str, proto: Proto | None) -> tuple[Inet, Proto]:
    """Return the address and the protocol of an SRV record (RFC 2782). Raises Malformed."""
    example = f"srv://_redis._{proto or 'tcp'}.example.com"
    if ":" in location:
        raise Malformed("the port is in the SRV record", _SRV, example)
    location = location.lower()
    found = re.fullmatch(_SRV_NAME, location, re.ASCII)
    if not found or len(location) > 253:
        what = (
            f'"{shown(location)}" is not a name of an SRV record'
            if location
            else "the name is missing"
        )
        raise Malformed(what, _SRV, example)
    carries = Proto.UDP if found[2] == "_udp" else Proto.TCP
    if proto is not None and carries is not proto:
        what = f"{found[2]} contradicts the protocol {proto.upper()}"
        raise Malformed(what, _SRV, f"srv://{found[1]}._{proto}{found[3]}")
    return Inet(f"srv://{location.removesuffix('.')}", 0), carries


def owned(endpoint: Endpoint, own: Inet) -> Endpoint:
    """Return `endpoint` with the route's port (or range), which is that of `own`, if it is a
    container that is written without a port; otherwise return it unchanged.
    """
    address = endpoint.address
    if not isinstance(address, Inet) or address.port or not is_container(address.host):
        return endpoint
    one = container_of(address.host)._replace(port=own.port, last=own.last)
    return replace(endpoint, address=Inet(format_container(one), own.port, own.last))


def _read(scheme: str, location: str, options: list[str], proto: Proto | None) -> Container:
    place, slash, carried = location.partition("/")
    if slash:
        if carried not in ("tcp", "udp"):
            raise Malformed(f'"{shown(f"/{carried}")}" follows the container', _FORM)
        if proto is not None and proto != carried:
            raise Malformed(f"/{carried} contradicts the protocol {proto.upper()}", _FORM)
        proto = Proto(carried)
    if "@" in place:
        raise Malformed("holds a user name or password, which an ambassador does not use", _FORM)
    name, colon, ports = place.partition(":")
    if name and not re.fullmatch(_NAME, name, re.ASCII):
        raise Malformed(f'"{shown(name)}" is not the name of a container', _FORM)
    port, last = read_ports(ports) if colon else (0, 0)
    one = Container(scheme, name, port, last, proto or Proto.TCP)
    for option in options:
        one = _with(one, *option.partition("="))
    if one.sleep and not one.wake:
        what = "sleep without wake: only a container that was woken is stopped again"
        raise Malformed(what, "?wake&sleep=15m")
    if not name and not one.labels:
        raise Malformed("the name of the container is missing", _FORM)
    if name and one.labels:
        raise Malformed("a container has either a name or labels here", _FORM)
    return one


def _with(one: Container, key: str, equals: str, value: str) -> Container:
    """Return `one` with one of its options."""
    text = unquote(value)
    if key == "wake":
        if equals:
            raise Malformed('the option "wake" has no value', "?wake")
        return one._replace(wake=True)
    if not text:
        raise Malformed(f'the option "{key}" has no value', f"?{key}={_EXAMPLES[key]}")
    if key == "label":
        if text.startswith("="):
            raise Malformed(f'"{shown(text)}" is no label', "?label=KEY=VALUE")
        return one._replace(labels=tuple(dict.fromkeys((*one.labels, text))))
    if key == "network":
        return one._replace(network=text)
    try:
        sleep = read_duration(text)
    except Malformed as found:
        raise Malformed(f'sleep "{shown(text)}" {found.what}', "?wake&sleep=15m") from None
    if sleep < _SHORTEST_SLEEP:
        raise Malformed(f'"{shown(text)}" is too short', "?wake&sleep=15m")
    return one._replace(sleep=sleep)


_EXAMPLES = {"label": "ambassador.name=db", "network": "back", "sleep": "15m"}
