"""All that an ambassador can hand over, lent together or given back together."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from ambassador import log
from ambassador.core.wish import Wish
from ambassador.errors import in_words
from ambassador.ports import Passing, Piece, Transferable

__all__ = ["Lending"]


class Lending:
    """Implements ports.Holder over `parts`, the `sockets` of the API and the operator's wishes.

    `still` keeps everything unchanged and gives the wishes, `encode` writes them as text, `gone` is
    called with the pid of the successor and the number of sessions that it has got, `counters`
    returns the counters and the connections to earlier processes, `passing` has the sessions.
    """

    def __init__(
        self,
        parts: Sequence[Transferable],
        sockets: Callable[[], Sequence[socket.socket]],
        still: Callable[[bool], AbstractAsyncContextManager[tuple[Wish, ...]]],
        encode: Callable[[Collection[Wish]], str],
        gone: Callable[[int, int], None],
        *,
        passing: Passing,
        counters: Callable[[], Awaitable[tuple[bytes, Sequence[socket.socket]]]],
    ) -> None:
        self._parts = parts
        self._passing = passing
        self._sockets = sockets
        self._still = still
        self._encode = encode
        self._gone = gone
        self._counters = counters
        self._lent: list[Transferable] = []
        self._stillness = AsyncExitStack()

    @property
    def passing(self) -> int:
        """See ports.Holder."""
        return self._passing.passing

    async def lend(self, passes: bool) -> tuple[Sequence[socket.socket], bytes]:
        """Lend all parts or none; see ports.Holder."""
        try:
            wishes = await self._stillness.enter_async_context(self._still(passes))
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
        """See ports.Holder."""
        for part in self._lent:
            part.pause()

    async def gather(self) -> None:
        """See ports.Passing."""
        await self._passing.gather()

    def copies(self) -> Iterator[Piece]:
        """See ports.Passing."""
        return self._passing.copies()

    async def stop_accepting(self) -> None:
        """See ports.Passing."""
        await self._passing.stop_accepting()

    def freeze(self) -> tuple[Sequence[Piece], bytes]:
        """See ports.Passing."""
        self.pause()
        return self._passing.freeze()

    def gone(self) -> int:
        """See ports.Passing."""
        return self._passing.gone()

    def returned(self) -> None:
        """See ports.Passing."""
        self._passing.returned()

    async def take_back(self) -> None:
        """See ports.Holder."""
        lent, self._lent = self._lent, []
        for part in lent:
            await part.take_back()
        await self._stillness.aclose()

    async def give_up(self, successor: int) -> None:
        """See ports.Holder."""
        # The successor has all of it: an error here must not make it wait.
        went = [0]

        def let_go() -> None:
            went[0] = self.gone()

        steps: list[Callable[[], None]] = [let_go, *(part.give_up for part in self._lent)]
        steps.append(lambda: self._gone(successor, went[0]))
        for step in steps:
            try:
                step()
            except Exception as error:
                log.event(log.ERROR, "not_given_up", in_words(error), error=repr(error))
        await self._stillness.aclose()

    async def counters(self) -> tuple[bytes, Sequence[socket.socket]]:
        """See ports.Holder."""
        return await self._counters()
