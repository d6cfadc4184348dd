"""Routes from environment variables and arguments.

Both are assignments of the same form; docs/routes.md has the rules for people. The source reads
only what it was given when it was made, so `read` always returns the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ambassador.core.hostsfile import HostsLine
from ambassador.core.linked import by_alias
from ambassador.core.names import is_called, named
from ambassador.errors import ConfigError, Problem
from ambassador.model import Endpoint, Inet, Route, Snapshot
from ambassador.spec import (
    OPTIONS,
    Variable,
    meant,
    nearest,
    parse_host,
    parse_ports,
    parse_variable,
    shown,
)
from ambassador.spec.assignment import Assignment, Link, gather, route_of
from ambassador.spec.follow import remarks
from ambassador.spec.ranges import join_ranges
from ambassador.spec.variable import DOCKER, NO_ROUTES, is_foreign

__all__ = ["EnvironmentSource"]

_FORM = "ALIAS_PORT_<port>_<TCP|UDP>=<endpoint>, or HOST PORT"
_EXAMPLE = "REDIS_PORT_6379_TCP=tcp://192.168.1.52:6379"
_BLANKS = " \t\r\n"  # dropped at the end of a value, as the first ambassador's shell did


class EnvironmentSource:
    """The variables of `environ` and the `arguments` of the command line; an argument wins over
    the variable of the same name.

    `routes` lists the names of routes that are taken from the environment. In a pod (`in_pod`, or
    a KUBERNETES_SERVICE_HOST) there must be such a list, because the kubelet sets link variables
    for every service of the namespace. With `others` there is another source of routes: in a pod
    without a list, no variable is then taken. `hosts` is /etc/hosts at the start: if a link
    variable has an address whose alias is there, the alias is followed instead of the address.
    """

    name = "environment"
    guess = False

    def __init__(
        self,
        environ: Mapping[str, str],
        arguments: Sequence[str] = (),
        *,
        routes: Sequence[str] = (),
        in_pod: bool = False,
        others: bool = False,
        hosts: tuple[HostsLine, ...] = (),
    ) -> None:
        self._environ = dict(environ)
        self._arguments = tuple(argument for argument in arguments if argument)
        self._wanted = tuple(routes)
        self._others = others
        self._hosts = hosts
        self._in_pod = in_pod or "KUBERNETES_SERVICE_HOST" in environ

    def read(self) -> Snapshot:
        """Return the routes; to have no route is no error here. Raises ConfigError."""
        notes: list[str] = []
        problems: list[Problem] = []
        found = self._from_environment(notes)
        arguments = self._arguments
        if len(arguments) == 2 and not any("=" in argument for argument in arguments):
            # The maintained fork (dokku's) uses the environment only when it has no arguments.
            unused = [one.name for one in found if not one.variable.companion]
            notes += [f"{name} is not used: the arguments are HOST PORT" for name in unused]
            return Snapshot(self.name, (_host_and_port(*arguments),), tuple(notes))
        given = self._from_arguments(problems)
        assignments = {one.name: one for one in (*found, *given)}
        links = join_ranges(gather(_not_empty(assignments.values(), notes)))
        empty = {name for name, one in assignments.items() if not one.value}
        links = [link for link in links if _belongs(link, links, empty, problems, notes)]
        routes: list[tuple[Route, Link]] = []
        for link in self._selected(links, problems, notes):
            try:
                route = route_of(link)
                routes.append((by_alias(route, self._hosts) if link.is_injected else route, link))
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(*problems)
        once = named(_without_echoes(routes, notes))
        notes += [remark for route in once for remark in remarks(route)]
        return Snapshot(self.name, once, tuple(notes))

    def _from_environment(self, notes: list[str]) -> list[Assignment]:
        result = []
        for name, value in self._environ.items():
            variable = parse_variable(name)
            if variable is None or is_foreign(name, self._environ):
                continue
            if name.startswith("AMBASSADOR_"):
                if not variable.companion:
                    notes.append(f"{name} makes no route: AMBASSADOR_ is for settings")
                continue
            where = f"environment variable {shown(name)}"
            result.append(Assignment(where, variable, value.rstrip(_BLANKS)))
        return result

    def _from_arguments(self, problems: list[Problem]) -> list[Assignment]:
        result: dict[str, Assignment] = {}
        for argument in self._arguments:
            name, equals, value = argument.partition("=")
            where = f"argument {shown(name)}"
            variable = parse_variable(name)
            if not equals:
                problem = _no_assignment(argument)
            elif variable is None or name.startswith(NO_ROUTES):
                problem = _misused(where, name, shown(value), variable)
            elif name in result:
                problem = Problem(where, "is given twice", shown(value), "it once", shown(argument))
            else:
                result[name] = Assignment(where, variable, value.rstrip(_BLANKS), argument=True)
                continue
            problems.append(problem)
        return list(result.values())

    def _selected(
        self, links: Sequence[Link], problems: list[Problem], notes: list[str]
    ) -> list[Link]:
        """Return the links that make routes: those of arguments, and others that are wanted."""
        if not self._in_pod and not self._wanted:
            return list(links)
        explicit = [link for link in links if _has_argument(link)]
        others = [link for link in links if not _has_argument(link)]
        if self._wanted:
            problems += [
                _unknown_route(wanted, links)
                for wanted in self._wanted
                # Without any link in the environment, /etc/hosts may have the name.
                if links and not any(_is_link_called(wanted, link) for link in links)
            ]
            taken = [link for link in others if any(_is_link_called(w, link) for w in self._wanted)]
            return [*explicit, *taken]
        aliases = list(dict.fromkeys(link.alias for link in others))
        if aliases and (explicit or self._others):
            notes.append(f"not taken without AMBASSADOR_ROUTES: {', '.join(aliases)}")
        elif aliases:
            problems.append(_pod_problem(aliases))
        return explicit


# If these counted as not set when they are empty, all clients might come in.
_NEVER_EMPTY = ("ALLOW", "DENY")


def _not_empty(assignments: Iterable[Assignment], notes: list[str]) -> list[Assignment]:
    result = []
    for one in assignments:
        if one.value or one.variable.companion in _NEVER_EMPTY:
            result.append(one)
        elif one.variable.companion not in DOCKER:
            notes.append(f"{one.name} is empty: counted as not set")
    return result


def _belongs(
    link: Link, links: Sequence[Link], empty: set[str], problems: list[Problem], notes: list[str]
) -> bool:
    """Return whether `link` makes a route; if it has only options, note what is wrong with them."""
    if link.mains:
        return True
    for key, option in link.options.items():
        main = option.variable.main
        if main in empty:
            notes.append(f"{option.name} is not used: {main} is empty")
            continue
        if key.lower() not in OPTIONS and not option.argument:
            continue  # another program's variable that only looks like ours
        names = [other.mains[0].name for other in links if other.mains]
        what = f"there is no {main} this option could belong to{meant(main, names)}"
        example = f"{main}=tcp://192.168.1.52:{link.port}"
        problems.append(Problem(option.where, what, shown(option.value), "", example))
    return False


def _has_argument(link: Link) -> bool:
    everything = (*link.mains, *link.companions.values(), *link.options.values())
    return any(one.argument for one in everything)


def _is_link_called(name: str, link: Link) -> bool:
    port = int(link.port) if len(link.port) <= 5 else 0
    return is_called(name, link.alias, port, link.proto.lower())


def _unknown_route(wanted: str, links: Sequence[Link]) -> Problem:
    aliases = list(dict.fromkeys(link.alias for link in links))
    what = f'there is no route "{shown(wanted)}"{meant(wanted.lower(), aliases)}'
    example = f"AMBASSADOR_ROUTES={nearest(wanted.lower(), aliases) or aliases[0]}"
    return Problem(
        "AMBASSADOR_ROUTES", what, expected=f"one or more of {', '.join(aliases)}", example=example
    )


def _pod_problem(aliases: Sequence[str]) -> Problem:
    return Problem(
        "AMBASSADOR_ROUTES",
        "is not set, and this is a pod: Kubernetes sets variables for every service, so the "
        f"routes must be named; found: {', '.join(aliases)}",
        expected="the names of the routes, with commas between them",
        example=f"AMBASSADOR_ROUTES={','.join(aliases)}",
    )


def _misused(where: str, name: str, read: str, variable: Variable | None) -> Problem:
    """Return what is wrong with the name of an assignment that is an argument."""
    if name.startswith("AMBASSADOR_"):
        flag = name.removeprefix("AMBASSADOR_").lower()
        if variable is None:
            what = "a setting is an environment variable or a flag"
            return Problem(where, what, read, example=f"--{shown(flag)} {read}")
        what = "makes no route: AMBASSADOR_ is for settings"
        return Problem(where, what, read, "another alias", _EXAMPLE)
    if variable is None:
        what = "is no link variable"
        if parse_variable(name.upper()) is not None:
            return Problem(
                where, what, read, "_PORT_ and _TCP in capitals", f"{name.upper()}={read}"
            )
        return Problem(where, what, read, _FORM, _EXAMPLE)
    what = "makes no route: KUBERNETES_ is ignored"
    return Problem(where, what, read, "another alias", _EXAMPLE)


def _no_assignment(argument: str) -> Problem:
    where = f"argument {shown(argument)}"
    host, colon, port = argument.rpartition("://")[2].rpartition(":")
    try:
        inet = replace(parse_ports(port), host=parse_host(host))
    except ConfigError:
        inet = None
    if not colon or inet is None:
        return Problem(where, "is neither an assignment nor HOST PORT", "", _FORM, _EXAMPLE)
    what = "is not an assignment; HOST PORT are two arguments"
    return Problem(where, what, "", _FORM, f"ambassador {inet.host} {port}")


def _host_and_port(host: str, port: str) -> Route:
    where = f"arguments {shown(host)} {shown(port)}"
    problems: list[Problem] = []
    address = Inet("192.168.1.52", 6379)
    try:
        address = replace(address, host=parse_host(host, where))
    except ConfigError as error:
        problems += error.problems
    try:
        address = replace(parse_ports(port, where), host=address.host)
    except ConfigError as error:
        problems += error.problems
    if problems:
        example = f"ambassador {address.host} {address.port}"
        raise ConfigError(*(replace(p, expected="HOST PORT", example=example) for p in problems))
    name_like = not any(char in address.host for char in ":%") and not address.host[-1].isdigit()
    alias = address.host.lower() if name_like else f"port-{address.port}"
    return Route(
        alias,
        replace(address, host=""),
        (Endpoint(address),),
        alias=alias,
        origin=where,
    )


def _without_echoes(routes: Sequence[tuple[Route, Link]], notes: list[str]) -> list[Route]:
    """Return the routes, each once.

    With Compose 1 the engine sets the variables of one link under three aliases (redis, redis_1,
    project_redis_1), which mean the same. Routes that a user wrote twice are found by `merge`.
    """
    best: dict[Route, Route] = {}
    for route, link in routes:
        if link.is_injected:
            bare = replace(route, name="", alias="")
            held = best.setdefault(bare, route)
            best[bare] = min(held, route, key=lambda one: (len(one.alias), one.alias))
    result = []
    for route, link in routes:
        kept = best[replace(route, name="", alias="")] if link.is_injected else route
        if kept is route:
            result.append(route)
        else:
            notes.append(f"{route.origin} says the same as {kept.origin}: one route")
    return result
