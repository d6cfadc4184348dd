"""Assignments of one port of one alias, and the route that they make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ambassador.errors import ConfigError, Problem
from ambassador.model import Address, Endpoint, Inet, Proto, Route
from ambassador.spec.address import format_address, length, of_length, parse_ports
from ambassador.spec.container import owned
from ambassador.spec.endpoint import format_endpoint, parse_endpoints
from ambassador.spec.follow import followed_problems
from ambassador.spec.instead import instead
from ambassador.spec.listening import Listening
from ambassador.spec.options import OPTIONS, applicable, parse_option
from ambassador.spec.service import is_service, parse_service
from ambassador.spec.text import meant, shown
from ambassador.spec.variable import DOCKER, Variable, default_listen

__all__ = ["Assignment", "Link", "gather", "route_of"]


class Assignment(NamedTuple):
    """One NAME=VALUE; `where` is its place: "environment variable REDIS_PORT_6379_TCP"."""

    where: str
    variable: Variable
    value: str
    argument: bool = False

    @property
    def name(self) -> str:
        """The name of the variable."""
        return self.variable.name


@dataclass(slots=True)
class Link:
    """All assignments of one port of one alias, as they were found.

    `mains` has the link variable, or several, if their names differ in case only. `companions` has
    the variables that the engine sets beside it, `options` those of a user. `problems` were found
    while the assignments were gathered.
    """

    alias: str  # lower case
    port: str
    proto: str
    mains: list[Assignment] = field(default_factory=list)
    companions: dict[str, Assignment] = field(default_factory=dict)
    options: dict[str, Assignment] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_wished(self) -> bool:
        """Whether a route is wanted: a link variable or the start of a range is set."""
        return bool(self.mains) or "START" in self.companions

    @property
    def is_injected(self) -> bool:
        """Whether the engine wrote it: _ADDR is set, which users do not set by hand."""
        address = self.companions.get("ADDR")
        return address is not None and not address.argument

    @property
    def variable(self) -> Variable:
        """The link variable, with the alias in capitals."""
        return Variable(self.alias.upper(), self.port, self.proto)


def gather(assignments: Iterable[Assignment]) -> list[Link]:
    """Return the links of `assignments`, in the order of their first assignments."""
    links: dict[tuple[str, str, str], Link] = {}
    for assignment in assignments:
        variable = assignment.variable
        key = (variable.alias.lower(), variable.port, variable.proto)
        link = links.setdefault(key, Link(*key))
        if not variable.companion:
            link.mains.append(assignment)
        elif variable.companion in DOCKER:
            link.companions[variable.companion] = assignment
        else:
            link.options[variable.companion] = assignment
    for link in links.values():
        if not link.mains and (follow := link.options.get("FOLLOW")):
            # The authority names the endpoints: there is nothing to write in the link variable.
            link.mains.append(Assignment(follow.where, link.variable, "", follow.argument))
    return list(links.values())


def route_of(link: Link) -> Route:
    """Return the route of `link`, with its alias as its name. Raises ConfigError with all problems.

    `link` has at least one main assignment.
    """
    main = link.mains[0]
    problems = [*link.problems, *_name_problems(link)]
    if problems:
        raise ConfigError(*problems)
    proto, port = Proto(link.proto.lower()), int(link.port)
    endpoints: tuple[Endpoint, ...] = ()
    service = ""
    try:
        if is_service(main.value):
            service = parse_service(main.value, main.where)
        elif main.value:
            written = parse_endpoints(main.value, main.where, proto, port)
            endpoints = tuple(owned(endpoint, Inet("", port)) for endpoint in written)
    except ConfigError as error:
        problems += [replace(p, example=f"{main.name}={p.example}") for p in error.problems]
    options, found = _options(link, proto)
    problems += found
    at: Listening | None = options.pop("listen", None)
    if (endpoints or service or not main.value) and not ("LISTEN" in link.options and at is None):
        at = at or Listening(default_listen(port, endpoints))
        problems += _range_problems(main, at.listen, endpoints)
    if problems or at is None:
        raise ConfigError(*problems)
    options |= at.options()
    # The first ambassador accepted an empty alias.
    alias = link.alias or f"port-{port}"
    origin = main.where
    route = Route(
        alias, at.listen, endpoints, proto, alias=alias, port=port, origin=origin, **options
    )
    route = replace(route, service=service)
    if problems := followed_problems(route, main.where):
        raise ConfigError(*(replace(p, example=_assigned(main, p.example)) for p in problems))
    return route


def _assigned(main: Assignment, example: str) -> str:
    """Return `key=value` as an assignment beside `main`."""
    key, _, value = example.partition("=")
    return f"{main.name}={value}" if key == "endpoints" else f"{main.name}_{key.upper()}={value}"


def _name_problems(link: Link) -> list[Problem]:
    main, *others = link.mains
    if link.proto == "SCTP":
        what = "SCTP is not carried, only TCP and UDP are"
        example = f"{main.name.removesuffix('SCTP')}TCP=tcp://192.168.1.52:{link.port}"
        return [Problem(main.where, what, shown(main.value), "_TCP or _UDP", example)]
    if " " in link.alias:
        what = "the alias holds a blank"
        example = f"REDIS_PORT_{link.port}_{link.proto}={shown(main.value)}"
        return [Problem(main.where, what, shown(main.name), "ALIAS_PORT_6379_TCP", example)]
    try:
        parse_ports(link.port, main.where)
    except ConfigError as error:
        what = f"{error.problems[0].what} (in the name)"
        name, url = (
            link.variable._replace(port="6379").main,
            f"{link.proto.lower()}://192.168.1.52:6379",
        )
        return [Problem(main.where, what, main.name, "a port from 1 to 65535", f"{name}={url}")]
    what = f"says the same as {main.where}, but for capitals"
    example = f"{main.name}={shown(main.value)}"
    return [
        Problem(other.where, what, shown(other.value), "one of the two", example)
        for other in others
    ]


def _options(link: Link, proto: Proto) -> tuple[dict[str, Any], list[Problem]]:
    values: dict[str, Any] = {}
    problems = []
    known = [key.upper() for key in applicable(proto)]
    for key, assignment in link.options.items():
        option = OPTIONS.get(key.lower()) if key.isupper() else None
        if option is None:
            what = f"the option {shown(key)} is unknown{meant(key.upper(), known)}"
            read, expected = shown(assignment.value), f"one of {', '.join(known)}"
            example = _another(link, key, proto)
            problems.append(Problem(assignment.where, what, read, expected, example))
            continue
        try:
            values[option.key] = parse_option(option.key, assignment.value, proto, assignment.where)
        except ConfigError as error:
            for found in error.problems:
                example = f"{assignment.name}={found.example}"
                if proto not in option.protos:
                    example = _another(link, key, proto)
                problems.append(replace(found, example=example))
    return values, problems


def _another(link: Link, key: str, proto: Proto) -> str:
    option = instead(key, proto, [one.lower() for one in link.options if one.isupper()])
    return f"{link.mains[0].name}_{option.key.upper()}={option.example}"


def _range_problems(
    main: Assignment, listen: Address, endpoints: Sequence[Endpoint]
) -> list[Problem]:
    """Return the problems of ranges that do not fit: beyond port 65535, or of different lengths."""
    count = length(listen)
    if isinstance(listen, Inet) and listen.ports.stop > 65536:
        what = f"the range would listen beyond port 65535: {format_address(listen)}"
        example = f"{main.name}_LISTEN={format_address(of_length(listen, count))}"
        return [Problem(main.where, what, shown(main.value), "fewer ports", example)]
    problems = []
    for endpoint in endpoints:
        address = endpoint.address
        there = length(address)
        if there == count:
            continue
        what = (
            f"the endpoint has {_ports(there)}, the listen address {format_address(listen)} "
            f"has {_ports(count)}"
        )
        expected = "ranges of one length; port follows port in order"
        fitting = replace(endpoint, address=of_length(address, count))
        example = f"{main.name}={format_endpoint(fitting)}"
        problems.append(
            Problem(main.where, what, shown(format_endpoint(endpoint)), expected, example)
        )
    return problems


def _ports(count: int) -> str:
    return "one port" if count == 1 else f"{count} ports"
