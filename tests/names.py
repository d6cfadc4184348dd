"""A resolver whose answers the test gives: the real one cannot be made to change on command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from ambassador.errors import ResolveError

__all__ = ["StaticResolver"]

_Changed = Callable[[Sequence[str]], None]


class StaticResolver:
    """Implements ports.Resolver over a dict. Names it lacks have no address."""

    def __init__(self, **names: Sequence[str]) -> None:
        self._names = {name: tuple(addresses) for name, addresses in names.items()}
        self._watchers: dict[str, list[_Changed]] = {}
        self._closed: dict[str, asyncio.Event] = {}
        self.asked: list[str] = []
        self.doubted: list[str] = []

    async def resolve(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if gate := self._closed.get(host):
            await gate.wait()
        if _is_literal(host):
            return (host,)
        if not self._names.get(host):
            raise ResolveError(f"{host} has no address: there is no such name")
        return self._names[host]

    def known(self, host: str) -> Sequence[str]:
        if host in self._closed:
            return ()
        return (host,) if _is_literal(host) else self._names.get(host, ())

    def doubt(self, host: str) -> None:
        self.doubted.append(host)

    def wanted(self, host: str) -> float:
        return 0.0

    def watch(self, host: str, changed: _Changed) -> Callable[[], None]:
        watchers = self._watchers.setdefault(host, [])
        watchers.append(changed)
        return lambda: watchers.remove(changed) if changed in watchers else None

    @property
    def watched(self) -> set[str]:
        """The names somebody watches."""
        return {host for host, watchers in self._watchers.items() if watchers}

    def answer(self, host: str, *addresses: str) -> None:
        """Let `host` have `addresses` from now on; none leaves the last good answer. On the
        loop's thread.
        """
        if not addresses:
            return
        self._names[host] = addresses
        for changed in tuple(self._watchers.get(host, ())):
            changed(addresses)

    def silence(self, host: str) -> Callable[[], None]:
        """Let questions for `host` wait until the returned function is called."""
        gate = self._closed[host] = asyncio.Event()

        def speak() -> None:
            self._closed.pop(host, None)
            gate.set()

        return speak


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
