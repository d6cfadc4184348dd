"""`ambassador announce`: an endpoint is in etcd as long as a probe finds that it works."""

from __future__ import annotations

import asyncio
import signal

from ambassador import log
from ambassador.app.fleet import access, identity, keys_of
from ambassador.errors import ConfigError, Problem, ResolveError
from ambassador.fleet.announcer import Announcer, Look
from ambassador.fleet.etcd import Etcd
from ambassador.follow.base import terms
from ambassador.follow.channel import Silence
from ambassador.follow.following import RULES
from ambassador.model import Endpoint, Inet
from ambassador.probes.exchange import NoAnswerError, ask, places
from ambassador.probes.table import probe_of
from ambassador.resolve.resolver import NameResolver
from ambassador.settings import Settings
from ambassador.tasks import spawn

__all__ = ["announce"]

_LIMIT = 2.0  # seconds for one answer


async def announce(
    settings: Settings,
    name: str,
    endpoint: Endpoint,
    *,
    health: str,
    ttl: float,
    user: str = "",
    password_file: str = "",
) -> None:
    """Announce until SIGTERM or SIGINT, then withdraw. Raises ConfigError and ConflictError."""
    if not settings.etcd:
        what = "is not set: there is no etcd to write to"
        example = "AMBASSADOR_ETCD=https://etcd1:2379,https://etcd2:2379"
        raise ConfigError(Problem("AMBASSADOR_ETCD", what, "", "the members of an etcd", example))
    resolver = NameResolver()
    etcd = Etcd(access(settings))
    if health.endswith("-primary"):
        look = _primary(endpoint, health, resolver, user, password_file)
    else:
        look = _answering(endpoint, health, resolver)
    announcer = Announcer(
        etcd, keys_of(settings), name, endpoint, who=identity(), look=look, ttl=ttl
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running, stopped = spawn(announcer.run(), "announce"), spawn(stop.wait(), "stop")
    try:
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
    finally:
        for task in (running, stopped):
            task.cancel()
        await asyncio.wait({running, stopped})
        await announcer.leave()
        etcd.close()
        resolver.close()
    log.event(log.INFO, "stopped", "stopped")


def _answering(endpoint: Endpoint, health: str, resolver: NameResolver) -> Look:
    """Return a function that asks the endpoint as the probe `health` does; without `health` it
    connects.
    """

    async def look() -> str:
        try:
            async with asyncio.timeout(_LIMIT):
                found = await places(endpoint, resolver)
        except ResolveError as error:
            return str(error)
        except TimeoutError:
            return "its name is not resolved in time"
        probe = probe_of(health, endpoint.proto)
        for place in found:
            try:
                await ask(probe, place, endpoint, _LIMIT)
            except NoAnswerError as error:
                return str(error)
        return ""

    return look


def _primary(
    endpoint: Endpoint, health: str, resolver: NameResolver, user: str, password_file: str
) -> Look:
    """Return a function that asks whether the endpoint is the primary, which takes writes."""
    address = endpoint.address
    if not isinstance(address, Inet):
        what = f"{health} asks a host and a port"
        example = f"ambassador announce redis tcp://10.0.0.5:6379 --health {health}"
        raise ConfigError(Problem("--health", what, health, "tcp://HOST:PORT", example))
    found = terms(user, password_file, "")
    askers: dict[str, object] = {}

    async def look() -> str:
        try:
            async with asyncio.timeout(_LIMIT):
                host = (await resolver.resolve(address.host))[0]
        except (ResolveError, TimeoutError) as error:
            return str(error) or "its name is not resolved in time"
        if host not in askers:
            askers.clear()
            askers[host] = RULES[health].asker((host, address.port), found, lambda: None)
        try:
            fact = await askers[host].fact(_LIMIT)  # type: ignore[attr-defined]
        except Silence as error:
            return str(error)
        return "" if fact.primary else "it is not the primary"

    return look
