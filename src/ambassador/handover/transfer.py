"""All that a successor gets, as one: the planes, the sockets of the API, the operator's wishes."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Protocol

from ambassador.core.wish import Wish

__all__ = ["Estate", "Transferable"]


class Transferable(Protocol):
    """A part of what is handed over; see predecessor.Holder for when each is called."""

    async def lend(self) -> Sequence[socket.socket]:
        """Change nothing from now on; return the sockets a successor needs."""

    def pause(self) -> None:
        """Accept nothing for the time being."""

    async def take_back(self) -> None:
        """Go on as before `lend`."""

    def give_up(self) -> None:
        """Let go of what another has; open sessions go on."""


class Estate:
    """Implements predecessor.Holder. `still` lets nothing be changed and gives the wishes, `encode`
    writes them down, `gone` is told of the successor, `legacy` has what was counted and the
    connections to the processes before.
    """

    def __init__(
        self,
        parts: Sequence[Transferable],
        sockets: Callable[[], Sequence[socket.socket]],
        still: Callable[[], AbstractAsyncContextManager[tuple[Wish, ...]]],
        encode: Callable[[Collection[Wish]], str],
        gone: Callable[[int], None],
        *,
        legacy: Callable[[], Awaitable[tuple[bytes, Sequence[socket.socket]]]],
    ) -> None:
        self._parts = parts
        self._sockets = sockets
        self._still = still
        self._encode = encode
        self._gone = gone
        self._legacy = legacy
        self._lent: list[Transferable] = []
        self._stillness = AsyncExitStack()

    async def lend(self) -> tuple[Sequence[socket.socket], bytes]:
        """See predecessor.Holder."""
        try:
            wishes = await self._stillness.enter_async_context(self._still())
            text = self._encode(wishes).encode()
            sockets = list(self._sockets())
            for part in self._parts:
                sockets += await part.lend()
                self._lent.append(part)
        except BaseException:
            await self.take_back()
            raise
        return sockets, text

    def pause(self) -> None:
        """See predecessor.Holder."""
        for part in self._lent:
            part.pause()

    async def take_back(self) -> None:
        """See predecessor.Holder."""
        lent, self._lent = self._lent, []
        for part in lent:
            await part.take_back()
        await self._stillness.aclose()

    async def give_up(self, successor: int) -> None:
        """See predecessor.Holder."""
        for part in self._lent:
            part.give_up()
        self._gone(successor)
        await self._stillness.aclose()

    async def legacy(self) -> tuple[bytes, Sequence[socket.socket]]:
        """See predecessor.Holder."""
        return await self._legacy()
