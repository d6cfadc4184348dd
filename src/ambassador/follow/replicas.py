"""Asks endpoints whether they are replicas that keep up, each on a connection that is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from ambassador.core.follow.claims import Place
from ambassador.core.follow.replica import lacking
from ambassador.errors import ResolveError
from ambassador.follow.asking import Asker
from ambassador.follow.base import terms
from ambassador.follow.channel import Silence
from ambassador.follow.postgres import PostgresReplicaAsker
from ambassador.follow.redis import RedisReplicaAsker
from ambassador.follow.talk import Terms
from ambassador.model import Endpoint, Inet, Route
from ambassador.ports import Resolver

__all__ = ["keeping_up"]

_LIMIT = 3.0  # seconds for one answer, where the interval is not shorter
_KINDS: Mapping[str, Callable[[Place, Terms, Callable[[], None]], Asker]] = {
    "redis-replica": RedisReplicaAsker,
    "postgres-replica": PostgresReplicaAsker,
}


@asynccontextmanager
async def keeping_up(
    resolver: Resolver, route: Route, endpoint: Endpoint
) -> AsyncIterator[Callable[[], Awaitable[Mapping[str, str]]]]:
    """Give a function that returns why `endpoint` of `route` is no replica that keeps up, by each
    address of its name; an empty text means that it keeps up; see ports.LoggingIn. Afterwards all
    connections are closed.
    """
    askers: dict[Place, Asker] = {}

    async def lack(place: Place) -> str:
        try:
            fact = await askers[place].fact(min(route.interval, _LIMIT))
        except Silence as silence:
            return str(silence)
        return lacking(fact, route.lag)

    async def why() -> Mapping[str, str]:
        address = endpoint.address
        assert isinstance(address, Inet)
        try:
            places = {(host, address.port) for host in await resolver.resolve(address.host)}
            for place in askers.keys() - places:
                askers.pop(place).close()
            found = terms(route.user, route.password_file, route.health_tls)
        except (ResolveError, Silence) as error:
            return {"": str(error)}
        for place in places - askers.keys():
            askers[place] = _KINDS[route.health](place, found, _nothing)
        reasons = await asyncio.gather(*map(lack, places))
        if all(reasons):
            resolver.doubt(address.host)
        return {host: reason for (host, _), reason in zip(places, reasons, strict=True)}

    try:
        yield why
    finally:
        for asker in askers.values():
            asker.close()


def _nothing() -> None:
    pass
