"""Fleet commands of an operator, from any host that can reach etcd."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from ambassador.app.fleet import access, keys_of
from ambassador.core.fleet.keys import Keys
from ambassador.core.fleet.progress import Progress
from ambassador.core.fleet.records import Word, written
from ambassador.errors import ConfigError, Problem
from ambassador.fleet.etcd import Etcd
from ambassador.fleet.mover import Mover, Outcome, Plan
from ambassador.fleet.requests import put
from ambassador.fleet.standing import Standing, named, standing
from ambassador.settings import Settings
from ambassador.spec import parse_endpoint

__all__ = ["Outcome", "Plan", "Standing", "move", "say_first", "stands", "undo"]

_T = TypeVar("_T")
Say = Callable[[str, Progress], None]


def move(settings: Settings, plan: Plan, who: str, say: Say) -> Outcome:
    """Move a service for the whole fleet; see fleet.mover.Mover."""
    return _run(settings, lambda etcd, keys: Mover(etcd, keys, who, say).move(plan))


def undo(settings: Settings, plan: Plan, who: str, say: Say) -> tuple[Plan, Outcome]:
    """Take back the last move; see fleet.mover.Mover."""
    return _run(settings, lambda etcd, keys: Mover(etcd, keys, who, say).undo(plan.service, plan))


async def say_first(url: str, service: str, endpoint: str) -> None:
    """Write the word of a service that no ambassador follows yet, in the etcd at `url`. Raises
    RunError.
    """
    settings = Settings.from_environ({"AMBASSADOR_ETCD": url})
    async with _asked(settings) as etcd:
        key = keys_of(settings).word(service)
        text = written(Word((parse_endpoint(endpoint),)))
        await etcd.change((), (put(key, text),), key)


def stands(settings: Settings, service: str = "") -> dict[str, Standing]:
    """Return what is in etcd about one service, or all, by their names."""

    async def look(etcd: Etcd, keys: Keys) -> dict[str, Standing]:
        names = [service] if service else await named(etcd, keys)
        return {name: await standing(etcd, keys, name) for name in names}

    return _run(settings, look)


def _run(settings: Settings, do: Callable[[Etcd, Keys], Awaitable[_T]]) -> _T:
    async def run() -> _T:
        async with _asked(settings) as etcd:
            return await do(etcd, keys_of(settings))

    return asyncio.run(run())


@asynccontextmanager
async def _asked(settings: Settings) -> AsyncIterator[Etcd]:
    if not settings.etcd:
        what = "is not set: it is not known which fleet is meant"
        example = "AMBASSADOR_ETCD=https://etcd1:2379,https://etcd2:2379"
        raise ConfigError(Problem("AMBASSADOR_ETCD", what, "", "the members of an etcd", example))
    etcd = Etcd(access(settings))
    try:
        yield etcd
    finally:
        etcd.close()
