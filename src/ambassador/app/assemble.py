"""Builds the parts that the settings need, each once."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ambassador import log
from ambassador.admin.token import read_token
from ambassador.core.hostsfile import HostsLine, parse_hosts
from ambassador.core.memory import bound
from ambassador.core.offload import workers
from ambassador.core.shares import shares
from ambassador.model import Address, Inet, Proto, Route, Snapshot
from ambassador.planes.kernel.leftover import flows_unseen
from ambassador.planes.kernel.privilege import acquire, look
from ambassador.planes.kernel.standing import ambassador_stands, anything_stands
from ambassador.planes.relay.allowance import allowance
from ambassador.planes.relay.cores import cores
from ambassador.planes.relay.plane import RelayPlane
from ambassador.ports import (
    ClientArrived,
    EndpointNoticed,
    Resolver,
    SessionEnded,
    SessionsSummed,
    Source,
)
from ambassador.settings import SETTINGS, Settings
from ambassador.sockets.inherited import Inherited, LentSocket, address_of
from ambassador.sources.env import EnvironmentSource
from ambassador.sources.given import GivenSource
from ambassador.sources.hosts import HostsSource
from ambassador.sources.networks import NetworkLists
from ambassador.tls.keyring import Keyring

if TYPE_CHECKING:
    from ambassador.app.kept import Kept
    from ambassador.planes.kernel.plane import KernelPlane

__all__ = [
    "assigned",
    "kept",
    "kernel_plane",
    "keyring",
    "lists",
    "new_loop",
    "placed",
    "ports_of",
    "published",
    "relay_plane",
    "retire_rules",
    "say_unused",
    "sources",
    "token",
]

_HOSTS = Path("/etc/hosts")
# Docker and Podman create the first two; the third exists in a pod.
_OF_CONTAINERS = (
    Path("/.dockerenv"),
    Path("/run/.containerenv"),
    Path("/var/run/secrets/kubernetes.io"),
)
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def new_loop(settings: Settings) -> asyncio.AbstractEventLoop:
    """Return the event loop that `settings` ask for."""
    if settings.loop == "asyncio":
        return asyncio.SelectorEventLoop()
    import uvloop  # noqa: PLC0415 (25 ms that `--loop asyncio` and other verbs are spared)

    return uvloop.new_event_loop()


def token(settings: Settings) -> str:
    """Return the token of the API over TCP, empty where there is none. Raises ConfigError."""
    if settings.api is None:
        return ""
    return read_token(settings.api_token, settings.api_token_file, SETTINGS["api_token"].parse)


def sources(
    settings: Settings, environ: Mapping[str, str], arguments: Sequence[str]
) -> tuple[Source, ...]:
    """Return the sources of routes; the first has precedence."""
    file: tuple[Source, ...] = ()
    labels: tuple[Source, ...] = ()
    if settings.docker_labels:
        from ambassador.engine.labels import LabelsSource  # noqa: PLC0415 (only where wished)

        labels = (LabelsSource(settings.docker, environ),)
    if settings.config:
        from ambassador.sources.file import FileSource  # noqa: PLC0415 (only where there is one)

        file = (FileSource(Path(settings.config)),)
    fleet: tuple[Source, ...] = ()
    if settings.fleet:
        from ambassador.fleet.source import FleetSource  # noqa: PLC0415 (the same)

        fleet = (FleetSource(),)
    return (
        EnvironmentSource(
            environ,
            arguments,
            routes=settings.routes,
            in_pod=_SERVICE_ACCOUNT.is_dir(),
            others=bool(file or fleet),
            hosts=_hosts(),
        ),
        *file,
        *fleet,
        # With labels there may be no routes for now, and then links must not be guessed.
        *(labels or (_links(settings),)),
    )


def _links(settings: Settings) -> HostsSource:
    return HostsSource(
        hostname=socket.gethostname(),
        ports=settings.ports,
        routes=settings.routes,
        in_container=any(path.exists() for path in _OF_CONTAINERS),
    )


def lists(settings: Settings, keys: Keyring | None = None) -> NetworkLists:
    """Return the networks that may come in, as the settings say; a route that needs an identity is
    refused where there is none. Raises ConfigError.
    """
    return NetworkLists(settings.allow, (keys or keyring(settings)).demand)


def keyring(settings: Settings) -> Keyring:
    """Return the keys for TLS. Raises ConfigError where the identity makes no sense."""
    found = Keyring(settings.identity)
    if settings.identity:
        found.use(found.read())
    return found


def placed(sources: Sequence[Source], given: Sequence[tuple[str, LentSocket]]) -> Sequence[Source]:
    """Return `sources`; a route listens on the socket of its name that systemd has `given`."""
    places: dict[tuple[Proto, str], Address] = {
        (Proto.UDP if sock.type == socket.SOCK_DGRAM else Proto.TCP, name): place
        for name, sock in given
        if name and (place := address_of(sock))
    }
    return [GivenSource(source, places) for source in sources] if places else sources


def assigned(assignments: Sequence[str]) -> Snapshot:
    """Return the routes of `assignments`, parsed like arguments of `run`."""
    return EnvironmentSource({}, assignments).read()


def published(assignment: str) -> tuple[Source, ...]:
    """Return sources whose only route is `assignment`."""
    return (EnvironmentSource({}, (assignment,)),)


def kept(settings: Settings, handed: bytes | None) -> Kept | None:
    """Return the stores for what outlives the program; None where there are none. What a
    predecessor has `handed` over has precedence.
    """
    if not settings.state and handed is None:
        return None
    from ambassador.app.kept import kept as found  # noqa: PLC0415 (only where something is)

    return found(settings, handed)


def relay_plane(
    settings: Settings,
    resolver: Resolver,
    inherited: Inherited,
    told: tuple[SessionEnded, SessionsSummed],
    kernel: KernelPlane | None,
    *,
    keys: Keyring,
) -> RelayPlane:
    """Return the relay, which tells `kernel` what it meets. The second function of `told` is called
    for short sessions, where no part needs each of them.
    """
    closed, summed = told
    each = kernel is not None or bool(settings.access_log) or log.enabled(log.DEBUG)
    noticed: EndpointNoticed = kernel.noticed if kernel else lambda *_: None
    arrived: ClientArrived = kernel.arrived if kernel else lambda *_: None
    return RelayPlane(
        resolver,
        buffer=settings.buffer,
        backlog=settings.backlog,
        memory=bound(settings.memory, allowance()),
        workers=workers(settings.workers, cores()),
        noticed=noticed,
        arrived=arrived,
        inherited=inherited,
        closed=closed,
        summed=None if each else summed,
        keyring=keys,
        reserve=shares(resource.getrlimit(resource.RLIMIT_NOFILE)[0]).reserve(
            sum((settings.admin != "off", settings.api is not None, settings.metrics is not None))
        ),
    )


def kernel_plane(
    settings: Settings, resolver: Resolver, inherited: Inherited, closed: SessionEnded
) -> KernelPlane | None:
    """Return the kernel plane, unless the settings exclude it. Even then it is returned where an
    earlier ambassador has left connections in the kernel: they are listed, and can be cut.
    """
    relays = settings.plane == "relay"
    if relays and (inherited.provisional or not _rules_left()):
        return None
    # 15 ms and 1 MB that a relay alone saves.
    from ambassador.planes.kernel.plane import KernelPlane  # noqa: PLC0415

    acquire()
    abilities = look()
    return KernelPlane(
        resolver,
        replace(abilities, withheld="AMBASSADOR_PLANE=relay") if relays else abilities,
        demanded=settings.plane == "kernel",
        keep_rules=settings.keep_rules,
        accept=settings.forward == "accept" and not relays,
        inherited=inherited,
        closed=closed,
        followed=bool(settings.access_log),
    )


def _rules_left() -> bool:
    """Return whether an ambassador has left rules: rules that we may change, or that may lead
    connections past us.
    """
    acquire()
    abilities = look()
    if abilities.missing:
        return bool(flows_unseen())
    if not anything_stands():
        return False
    from ambassador.planes.kernel.allowance import anything_left  # noqa: PLC0415 (see kernel_plane)
    from ambassador.planes.kernel.nft import Nft  # noqa: PLC0415

    return anything_left(Nft(abilities.nft))


async def retire_rules() -> None:
    """Remove the rules that an ambassador with a kernel plane has left, where we are allowed to."""
    acquire()
    abilities = look()
    if not abilities.missing and ambassador_stands():
        from ambassador.planes.kernel.nft import Nft  # noqa: PLC0415 (see kernel_plane)
        from ambassador.planes.kernel.table import retire  # noqa: PLC0415

        await retire(Nft(abilities.nft))


def ports_of(routes: Iterable[Route]) -> list[tuple[Proto, int]]:
    """Return every port that `routes` listen on."""
    return [
        (route.proto, port)
        for route in routes
        if isinstance(route.listen, Inet)
        for port in route.listen.ports
    ]


def say_unused(inherited: Inherited) -> None:
    """Log each socket from systemd that no route has taken."""
    for name in inherited.untaken:
        log.event(
            log.WARNING,
            "listener_unused",
            f"systemd listens on {name}, and no route here does: its clients get no answer",
            listener=name,
        )


def _hosts() -> tuple[HostsLine, ...]:
    try:
        return parse_hosts(_HOSTS.read_text(errors="replace"))
    except OSError:
        return ()  # no file, so no names
