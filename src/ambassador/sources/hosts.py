"""Routes from the aliases in /etc/hosts, which are all a link has if no variables are set.

Docker 29 no longer sets link variables (deprecated in 28.4, off in 29.0), but `--link redis:redis`
still writes "172.17.0.2 redis 3f2a9c0d1e2f" and `--add-host` "172.17.0.2 redis". The line has no
port, so the alias must be the usual name of a service, or the ports must be given. The endpoint has
the name, so that a change of the address is followed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from ambassador.core.hostsfile import parse_hosts
from ambassador.core.names import is_called, named
from ambassador.core.usual_ports import usual_ports
from ambassador.errors import ConfigError, Problem, SourceError
from ambassador.model import Endpoint, Inet, Proto, Route, Snapshot
from ambassador.spec import meant, nearest, parse_host, shown
from ambassador.spec.variable import NO_ROUTES

__all__ = ["HostsSource"]

# Names of the container itself and of its host: no link has made them.
_OURS = re.compile(
    r"localhost(\..*)?|.*\.localhost|localhost\d*|ip6-.*|.*\.(docker|containers)\.internal|broadcasthost",
    re.IGNORECASE,
)
_CONTAINER_ID = re.compile(r"[0-9a-f]{12}")


class HostsSource:
    """The links in the file at `path`, without the lines of the container itself (`hostname`).

    `ports` replaces the usual ports, if it is clear which alias is meant; `routes` names the
    aliases that are taken (empty: all). `in_container`: examples have the form of `docker run`.
    """

    name = "hosts"
    guess = True

    def __init__(
        self,
        path: Path = Path("/etc/hosts"),
        *,
        hostname: str = "",
        ports: Sequence[int] = (),
        routes: Sequence[str] = (),
        in_container: bool = True,
    ) -> None:
        self._path = path
        self._hostname = hostname
        self._ports = tuple(ports)
        self._wanted = tuple(routes)
        self._in_container = in_container

    def read(self) -> Snapshot:
        """Return the routes; examples in errors have the form that can be typed here."""
        if self._in_container:
            return self._read()
        try:
            snapshot = self._read()
        except ConfigError as error:
            raise ConfigError(*map(_outside, error.problems), notes=error.notes) from None
        return replace(snapshot, notes=tuple(note.replace("-e ", "") for note in snapshot.notes))

    def _read(self) -> Snapshot:
        """Return the routes, at least one.

        Raises ConfigError, which says which variable to set, if there is none, and SourceError if
        the file cannot be read.
        """
        try:
            text = self._path.read_text(errors="surrogateescape")
        except OSError as error:
            raise SourceError(f"{self._path}: {error.strerror or error}") from error
        aliases = self._aliases(text)
        if self._wanted:
            _check_wanted(self._wanted, list(aliases))
            aliases = {
                alias: where
                for alias, where in aliases.items()
                if any(_is_about(name, alias) for name in self._wanted)
            }
        if not aliases:
            raise ConfigError(_nothing())
        ports = self._ports_of(list(aliases))
        routes = [
            _route(alias, port, proto, aliases[alias])
            for alias, pairs in ports.items()
            for port, proto in pairs
            if not self._wanted or any(is_called(w, alias, port, proto) for w in self._wanted)
        ]
        unknown = [alias for alias in aliases if not ports[alias]]
        if not routes and not unknown:
            raise ConfigError(*(_no_such_route(name, list(ports)) for name in self._wanted))
        if not routes:
            raise ConfigError(*(_unknown(alias, aliases[alias]) for alias in unknown))
        notes = [
            f"{aliases[alias]} makes no route: its name does not tell the port; "
            f"{_assignment(alias, 6379)} would"
            for alias in unknown
        ]
        return Snapshot(self.name, named(routes), tuple(notes))

    def _aliases(self, text: str) -> dict[str, str]:
        """Return each alias with its place, in the order of the file.

        A container with several aliases has one route, under an alias with a usual port if there
        is one.
        """
        found: dict[str, list[str]] = {}
        for line in parse_hosts(text):
            if not _is_elsewhere(line.address) or self._hostname in line.names:
                continue
            names = [name for name in line.names if not _OURS.fullmatch(name) and _is_host(name)]
            if not names:
                continue
            if len(names) > 1 and _CONTAINER_ID.fullmatch(names[1]):
                found.setdefault(names[1], []).append(names[0])
            else:
                known = [name for name in names if usual_ports(name)]
                alias = (known or names)[0]
                found.setdefault(alias.lower(), []).append(alias)
        best = [
            min(aliases, key=lambda a: (not usual_ports(a), len(a))) for aliases in found.values()
        ]
        return {alias: f"the link {shown(alias)} in {self._path}" for alias in best}

    def _ports_of(self, aliases: Sequence[str]) -> dict[str, list[tuple[int, Proto]]]:
        ports = {alias: usual_ports(alias) for alias in aliases}
        if self._ports:
            unknown = [alias for alias, usual in ports.items() if not usual]
            meant = aliases if len(aliases) == 1 else unknown
            if len(meant) != 1:
                raise ConfigError(_ambiguous(aliases, self._ports))
            ports[meant[0]] = [(port, Proto.TCP) for port in self._ports]
        return ports


def _outside(problem: Problem) -> Problem:
    """Return `problem` with examples for a shell: without `-e`, which is a flag of docker run."""
    expected, example = (text.replace("-e ", "") for text in (problem.expected, problem.example))
    return replace(problem, expected=expected, example=example)


def _route(alias: str, port: int, proto: Proto, where: str) -> Route:
    endpoint = Endpoint(Inet(alias, port), proto)
    name = alias.lower()
    return Route(name, Inet("", port), (endpoint,), proto, alias=name, origin=where)


def _is_elsewhere(address: str) -> bool:
    ip = ip_address(address.partition("%")[0])  # without the zone, which may be any text
    return not (ip.is_loopback or ip.is_multicast or ip.is_unspecified)


def _is_host(name: str) -> bool:
    try:
        parse_host(name)
    except ConfigError:
        return False
    return True


def _assignment(alias: str, port: int) -> str:
    # The form in which Docker writes an alias in the name of a variable
    name = re.sub("[-.]", "_", alias).upper()
    if f"{name}_".startswith(NO_ROUTES):
        name = "LINK"
    return f"-e {name}_PORT_{port}_TCP=tcp://{alias}:{port}"


def _nothing() -> Problem:
    return Problem(
        "no route",
        "neither an argument nor a variable nor a link in /etc/hosts makes one",
        expected="an argument or a variable ALIAS_PORT_<port>_<TCP|UDP>=<endpoint>",
        example="-e REDIS_PORT_6379_TCP=tcp://192.168.1.52:6379",
    )


def _unknown(alias: str, where: str) -> Problem:
    return Problem(
        where,
        "has no variables, and its name does not tell the port "
        "(Docker 29 no longer sets link variables)",
        expected="a link variable with the port, or -e AMBASSADOR_PORTS=<port>,...",
        example=_assignment(alias, 6379),
    )


def _ambiguous(aliases: Sequence[str], ports: Sequence[int]) -> Problem:
    return Problem(
        "AMBASSADOR_PORTS",
        f"could mean any of {', '.join(aliases)} in /etc/hosts",
        ",".join(map(str, ports)),
        "a link variable for each",
        " ".join(_assignment(alias, port) for alias in aliases for port in ports),
    )


def _is_about(name: str, alias: str) -> bool:
    """Return whether `name` is `alias`, or `alias` with a port."""
    short = re.sub(r"-\d+(-(tcp|udp))?$", "", name)
    return is_called(name, alias, 0, "") or is_called(short, alias, 0, "")


def _check_wanted(wanted: Sequence[str], aliases: Sequence[str]) -> None:
    missing = [name for name in wanted if not any(_is_about(name, alias) for alias in aliases)]
    if missing:
        raise ConfigError(*(_no_such_route(name, aliases) for name in missing))


def _no_such_route(name: str, aliases: Sequence[str]) -> Problem:
    expected = f"one or more of {', '.join(aliases)}" if aliases else _nothing().expected
    what = f'there is no route "{shown(name)}"{meant(name.lower(), aliases)}'
    example = _assignment(name, 6379)
    if aliases:
        example = f"AMBASSADOR_ROUTES={nearest(name.lower(), aliases) or aliases[0]}"
    return Problem("AMBASSADOR_ROUTES", what, "", expected, example)
