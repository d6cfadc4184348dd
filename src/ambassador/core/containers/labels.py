"""Which routes the labels of containers make. Pure.

ambassador.listen=6379           a route; beside it name, port, network, wake, sleep, proto
ambassador.health=redis          and every option of a route
ambassador.admin.listen=15672    a second one, called NAME-admin
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ambassador.core.containers.container import Container
from ambassador.core.merge import overlap
from ambassador.errors import ConfigError, Problem, in_a_line
from ambassador.model import Endpoint, Inet, Proto, Route
from ambassador.spec import OPTIONS, format_address, meant, parse_option, parse_ports, parse_word
from ambassador.spec import container as spec
from ambassador.spec.endpoint import parse_endpoint
from ambassador.spec.follow import followed_problems
from ambassador.spec.listening import Listening
from ambassador.spec.values import parse_duration

__all__ = ["Labelled", "labelled"]

PREFIX = "ambassador."
_OWN = ("name", "port", "network", "wake", "sleep", "proto", "weight", "backup")
_ALONE = {"name", "port", "network"}  # labels that describe an endpoint only; they make no route


@dataclass(frozen=True, slots=True)
class Labelled:
    """The routes, and what is wrong with labels, each problem with the name of its container."""

    routes: tuple[Route, ...] = ()
    problems: tuple[str, ...] = ()


def labelled(containers: Iterable[Container], scheme: str = "docker") -> Labelled:
    """Return the routes of all `containers`, whose endpoints have this `scheme`. A label that is
    wrong is left out and reported; where two containers want one port, the first by name gets it.
    """
    routes: list[Route] = []
    problems: list[str] = []
    for one in sorted(containers, key=lambda c: (c.project, c.replica_of, c.number, c.name)):
        groups, strange = _groups(one.labels)
        problems += [f"container {one.name}: {text}" for text in strange]
        for group, values in groups.items():
            if "listen" not in values and not values.keys() - _ALONE:
                continue
            try:
                route = _route(one, group, values, scheme)
            except ConfigError as error:
                problems.append(f"container {one.name}: {in_a_line(error)}")
                continue
            if problem := _join(routes, route):
                problems.append(f"container {one.name}: {problem}")
    return Labelled(tuple(routes), tuple(dict.fromkeys(problems)))


def _groups(labels: Mapping[str, str]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Return the labels of each route, parsed, and what is wrong with labels."""
    known = (*_OWN, *OPTIONS)
    found: dict[str, dict[str, str]] = {}
    strange = []
    for label, value in labels.items():
        if not label.startswith(PREFIX):
            continue
        group, _, key = label.removeprefix(PREFIX).rpartition(".")
        if key not in known:
            strange.append(f"the label {label} is unknown{meant(key, known)}")
        else:
            found.setdefault(group, {})[key] = value.strip()
    return found, strange


def _route(one: Container, group: str, values: Mapping[str, str], scheme: str) -> Route:
    """Return the route of one group of labels. Raises ConfigError."""
    before = f"{PREFIX}{group}." if group else PREFIX
    origin = f"labels of container {one.name}"
    if "listen" not in values:
        expected = f"{before}listen=6379"
        raise ConfigError(Problem(f"{before}listen", "is missing", "", "a port", expected))
    proto = Proto.TCP
    if "proto" in values:
        proto = Proto(parse_word(values["proto"], ("tcp", "udp"), f"{before}proto"))
    options: dict[str, Any] = {
        key: parse_option(key, value, proto, f"{before}{key}")
        for key, value in values.items()
        if key in OPTIONS
    }
    listening: Listening = options.pop("listen")
    listen, options = listening.listen, listening.options() | options
    name = values.get("name") or one.replica_of or one.name
    alias = (name if "name" in values or not group else f"{name}-{group}").lower()
    endpoint = _endpoint(one, values, scheme, proto, before)
    if isinstance(listen, Inet):
        endpoint = spec.owned(endpoint, Inet("", listen.port, listen.last))
    route = Route(alias, listen, (endpoint,), proto, alias=alias, origin=origin)
    route = replace(route, **options)
    if problems := followed_problems(route, origin):
        raise ConfigError(*problems)
    return route


def _endpoint(
    one: Container, values: Mapping[str, str], scheme: str, proto: Proto, before: str
) -> Endpoint:
    name = f"{one.replica_of}.{one.project}" if one.replica_of else one.name
    port = last = 0
    if "port" in values:
        ports = parse_ports(values["port"], f"{before}port")
        port, last = ports.port, ports.last
    wake = _yes(values, "wake", before)
    sleep = parse_duration(values["sleep"], f"{before}sleep") if "sleep" in values else 0.0
    wanted = spec.Container(
        scheme, name, port, last, proto, (), values.get("network", ""), wake, sleep
    )
    options = ["backup"] if _yes(values, "backup", before) else []
    options += [f"weight={values['weight']}"] if "weight" in values else []
    text = spec.format_container(wanted)
    text += ("&" if "?" in text else "?") + "&".join(options) if options else ""
    return parse_endpoint(text, before.rstrip("."), proto)


def _yes(values: Mapping[str, str], key: str, before: str) -> bool:
    words = ("true", "1", "yes", "false", "0", "no")
    return key in values and words.index(parse_word(values[key], words, f"{before}{key}")) < 3


def _join(routes: list[Route], route: Route) -> str:
    """Add `route`, or add its endpoint to the route it belongs to; return why that is not
    possible.
    """
    for place, other in enumerate(routes):
        if other.proto is not route.proto or not overlap(other.listen, route.listen):
            continue
        theirs = other.origin.removeprefix("labels of ")
        if other.key != route.key or other.alias != route.alias:
            where = format_address(route.listen)
            return f"wants {where}, which {theirs} has already"
        if replace(other, endpoints=(), origin="") != replace(route, endpoints=(), origin=""):
            return f"contradicts {theirs}, which is a part of the same route {route.alias}"
        new = [e for e in route.endpoints if e.address not in {o.address for o in other.endpoints}]
        routes[place] = replace(other, endpoints=(*other.endpoints, *new))
        return ""
    routes.append(route)
    return ""
