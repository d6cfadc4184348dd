"""A port for a running container: what the command means, and how the port is carried."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ambassador.core.located import at
from ambassador.errors import ConfigError, EngineError, Problem, RunError
from ambassador.model import Proto
from ambassador.settings import Settings
from ambassador.spec import parse_endpoint, parse_ports, shown
from ambassador.spec.container import Container, container_of, format_container, owned

__all__ = ["PREFIX", "Publication", "publication", "publishable"]

PREFIX = "published_"  # of the names of routes
_FORM = "NAME PORT or NAME PORT:PORT (of the host, of the container), with /udp for UDP"
_CONNECT = 1.0  # seconds
_LISTENS = "0A"  # TCP_LISTEN in /proc/net/tcp


@dataclass(frozen=True, slots=True)
class Publication:
    """`wanted` at `port` of this host; `assignment` is the route that carries it."""

    wanted: Container
    port: int

    @property
    def assignment(self) -> str:
        """The route, as it is written for `run`."""
        alias = PREFIX.upper() + re.sub("[^A-Za-z0-9]", "_", self.wanted.name).upper()
        proto = self.wanted.proto.upper()
        return f"{alias}_PORT_{self.port}_{proto}={format_container(self.wanted)}"

    @property
    def name(self) -> str:
        """The name of the ambassador that carries it."""
        return f"publish-{self.port}-{self.wanted.proto}"


def publication(name: str, ports: str) -> Publication:
    """Return what `name` and `ports`, as they are typed, mean. Raises ConfigError."""
    text, slash, carried = ports.partition("/")
    outer, colon, inner = text.partition(":")
    if slash and carried not in ("tcp", "udp"):
        what = "is neither /tcp nor /udp"
        raise ConfigError(
            Problem("PORT", what, shown(ports), _FORM, "ambassador publish dns 5353:53/udp")
        )
    try:
        host = parse_ports(outer, "PORT")
        target = parse_ports(inner, "PORT") if colon else host
    except ConfigError as error:
        example = "ambassador publish web 8080:80"
        told = (replace(p, expected=_FORM, example=example) for p in error.problems)
        raise ConfigError(*told) from None
    if host.last or target.last:
        what = "is a range; publish takes one port"
        raise ConfigError(
            Problem("PORT", what, shown(ports), _FORM, "ambassador publish web 8080:80")
        )
    written = name if "://" in name else f"docker://{name}"
    endpoint = owned(parse_endpoint(written, "NAME", Proto(carried or "tcp")), target)
    wanted = container_of(getattr(endpoint.address, "host", ""))
    return Publication(wanted, host.port)


def publishable(settings: Settings, environ: Mapping[str, str], one: Publication) -> str:
    """Return where the container is now, in words. Raises ConfigError and RunError where this host
    cannot give it a port; the error has the `docker run` line of a container that can.
    """
    from ambassador.engine.once import ask_once, pid_of  # noqa: PLC0415
    from ambassador.engine.place import engine_of  # noqa: PLC0415

    where = engine_of(one.wanted.scheme, settings.docker, environ)
    try:
        asked = ask_once(where, one.wanted)
        found = asked.found
        if not found.addresses:
            apart = "no network in common" in found.problem
            more = f"\n{_beside(one, found.replicas[0].network)}" if apart else ""
            raise ConfigError(Problem("NAME", found.problem + more, one.wanted.name))
        address, port = at(found.addresses[0], one.wanted.port)
        words = f"at {address}:{port} now"
        if one.wanted.proto is Proto.TCP and not _answers(address, port):
            pid = pid_of(where, found.replicas[0].id)
            if pid and _only_loopback(pid, one.wanted.port):
                raise RunError(_inside(one))
            words = f"at {address}:{port}, which takes no connection now"
    except EngineError as error:
        raise RunError(str(error)) from error
    return words


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), _CONNECT).close()
    except OSError:
        return False
    return True


def _only_loopback(pid: int, port: int) -> bool:
    """Tell whether, in the network of process `pid`, something listens at `port` of 127.0.0.1 or
    ::1 only.
    """
    places = set()
    for name in ("tcp", "tcp6"):
        try:
            with open(f"/proc/{pid}/net/{name}", encoding="ascii") as file:  # noqa: PTH123
                lines = file.readlines()[1:]
        except OSError:
            continue
        for line in lines:
            local, state = line.split()[1], line.split()[3]
            address, _, number = local.partition(":")
            if state == _LISTENS and int(number, 16) == port:
                places.add(address)
    return bool(places) and places <= {"0100007F", "00000000000000000000000001000000"}


def _inside(one: Publication) -> str:
    name, port = one.wanted.name, one.wanted.port
    free = port + 10000 if port < 50000 else port - 10000
    return (
        f"{name} listens at 127.0.0.1:{port} only, which nobody outside of it reaches. A container "
        "beside it can carry it:\n"
        f"  docker run -d --name {name}-{free} --network container:{name} ambassador "
        f"X_PORT_{free}_TCP=tcp://127.0.0.1:{port}\n"
        f"  ambassador publish {name} {one.port}:{free}"
    )


def _beside(one: Publication, network: str) -> str:
    text, port = format_container(one.wanted), one.port
    net = network or "NETWORK"
    return (
        "A container that is in its network can carry it:\n"
        f"  docker run -d -p {port}:{port} -v /var/run:/var/run --network {net} "
        f"ambassador X_PORT_{port}_{one.wanted.proto.upper()}={text}"
    )
