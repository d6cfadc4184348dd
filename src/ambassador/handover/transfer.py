"""An upgrade as the program sees it: take over from a predecessor, wait for a successor, hand all
over to it, and answer it as long as sessions go on here. No counter is lost on the way.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ambassador import log
from ambassador.core.wish import Wish
from ambassador.errors import RunError, in_words
from ambassador.handover.counters import (
    Counters,
    HandedCounters,
    KernelCounters,
    RouteCounters,
    add,
    counters_of,
    lasting,
)
from ambassador.handover.lending import Lending
from ambassador.handover.plane import EarlierPlane
from ambassador.handover.predecessor import Answers, Predecessor
from ambassador.model import Route, RouteKey
from ambassador.ports import (
    ForwardingPlane,
    Holder,
    ListeningPlane,
    Resolver,
    RouteStatus,
    Transferable,
)
from ambassador.sockets.inherited import Inherited
from ambassador.tasks import Slice, spawn

if TYPE_CHECKING:
    from ambassador.handover.successor import Successor

__all__ = ["Transfer"]

_ENDED = "ended "
_AT_ONCE = 20  # routes whose status is asked for at once


class Transfer:
    """`relay` has sessions that end with this process, `kernel` (if any) rules that do not; `ended`
    returns what was counted at the end of sessions of a route, by its name.
    """

    def __init__(
        self,
        resolver: Resolver,
        relay: ListeningPlane,
        kernel: ForwardingPlane | None,
        ended: Callable[[str], RouteCounters],
    ) -> None:
        self.earlier = EarlierPlane(resolver)
        self.kernel_counters = KernelCounters(kernel)
        self.routes: Callable[[], Sequence[Route]] = lambda: [it.route for it in relay.status()]
        self._relay = relay
        self._kernel = kernel
        self._ended = ended
        self._predecessor: Predecessor | None = None
        self._answers: Answers | None = None
        self._answering: asyncio.Task[None] | None = None

    async def take_over(
        self, successor: Successor, inherited: Inherited, serve: Callable[[], Awaitable[None]]
    ) -> None:
        """All is installed: have the predecessor let go, and accept in its place. `serve` takes the
        place of its admin socket, after the predecessor has confirmed that all is ours. Raises
        RunError.
        """
        try:
            await successor.ready(self._relay)
            await successor.done()
        except BaseException:
            self._relay.disown()
            raise
        # All is ours from now on, and nothing may fail any more. Clients have waited.
        self._relay.begin()
        inherited.own(successor.kept)
        await self._relay.accept()
        await successor.counted()
        try:
            await self.count_on(successor)
        except Exception as error:
            log.event(log.WARNING, "earlier_not_understood", in_words(error))
        try:
            await serve()
        except OSError as error:
            text = f"the admin socket {successor.admin} is not ours: {error.strerror or error}"
            log.event(log.ERROR, "no_admin", text, reason=str(error))
        for name in inherited.close_rest():
            log.event(
                log.WARNING,
                "listener_closed",
                f"the previous ambassador listened on {name}; no route here does: closed",
                listener=name,
            )
        pid = successor.pid
        log.event(log.INFO, "taken_over", f"taken over from process {pid}", pid=pid)

    def lasting(self, status: RouteStatus) -> RouteCounters:
        """Return all that was counted of a route at the end of sessions, by processes that have
        ended and by this one; `status` is that of this process.
        """
        key = status.route.key
        ended = self._ended(status.route.name).items()
        mine = {f"{_ENDED}{name}": value for name, value in ended}
        found: Counters = {key: lasting(counters_of(status)) | mine}
        add(found, {key: self.earlier.past(status.route)})
        return found[key]

    def recover(self, *counted: Mapping[RouteKey, RouteCounters]) -> None:
        """Continue with what a killed ambassador has counted."""
        for one in counted:
            self.earlier.recover(one)

    async def count_on(self, successor: Successor) -> None:
        """Continue with what the predecessor has counted."""
        if (connection := successor.connection()) is None:
            return
        kernel = self._kernel is not None
        try:
            handed = await asyncio.to_thread(  # for thousands of routes it takes 0.1 s
                partial(HandedCounters.decode, successor.counters, kernel=kernel)
            )
        except RunError as error:  # the routes are ours by now: nothing may fail any more
            log.event(log.WARNING, "earlier_not_understood", str(error))
            handed = HandedCounters()
        self.earlier.take_over(handed, connection, successor.earlier)

    async def offer(
        self,
        admin: Path,
        sockets: Callable[[], Sequence[socket.socket]],
        still: Callable[[bool], AbstractAsyncContextManager[tuple[Wish, ...]]],
        encode: Callable[[Collection[Wish]], str],
        gone: Callable[[int], None],
    ) -> None:
        """Wait for a successor beside the admin socket `admin`; see Lending for the rest."""
        parts: list[Transferable] = [self._relay]
        if self._kernel is not None:
            parts += [self.kernel_counters, self._kernel]

        def let_go(successor: int, went: int) -> None:
            gone(successor)
            spawn(self._say_gone(successor, went), "say who has taken over")

        holder: Holder = Lending(
            *(parts, sockets, still, encode, let_go),
            passing=self._relay,
            counters=self.hand_over,
        )
        self._predecessor = Predecessor(admin, holder)
        await self._predecessor.start()

    def before(self, routes: Iterable[Route]) -> Mapping[str, RouteCounters]:
        """Return what earlier processes have counted at the end of sessions, by the name of the
        route.
        """
        return {
            route.name: {
                name.removeprefix(_ENDED): value
                for name, value in self.earlier.counters(route).items()
                if name.startswith(_ENDED)
            }
            for route in routes
        }

    async def hand_over(self) -> tuple[bytes, Sequence[socket.socket]]:
        """Return what a successor gets; see ports.Holder.counters."""
        handed, connections = await self.earlier.hand_over()
        add(handed.past, self.kernel_counters.counters)
        handed.live = await self._counters()
        return await asyncio.to_thread(handed.encode), connections

    async def stay(self, stop: asyncio.Event, answering: asyncio.Task[None]) -> None:
        """A successor has the routes: answer it and let open sessions end, however long they take,
        until `stop`; and wait for `answering` as long as the successor lives.
        """
        if self._predecessor is not None:
            self.answer(await self._predecessor.connection())
        stopped = spawn(stop.wait(), "stop")
        ended = spawn(self._relay.ended(), "open sessions")
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        lives = {self._answering} if self._answering is not None else set()
        await asyncio.wait({answering, stopped} | lives, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()

    def answer(self, connection: socket.socket | None) -> None:
        """Answer the successor at the other end of `connection`, until `leave`."""
        if connection is not None:
            self._answers = Answers(connection, self._relay, self._counters)
            self._answering = spawn(self._answers.run(), "questions of the successor")

    async def leave(self) -> None:
        """All sessions have ended: send the counters to the successor."""
        if self._answers is not None and self._answering is not None:
            self._answering.cancel()
            await asyncio.wait({self._answering})
            await self._answers.farewell()

    async def close(self) -> None:
        """Wait for no successor, and ask no earlier process any more."""
        if self._predecessor is not None:
            self._predecessor.close()
        await self.earlier.close()

    async def _counters(self) -> Counters:
        """Return what this process itself has counted, without the rules of the kernel."""
        found, piece = dict[RouteKey, dict[str, float]](), Slice()
        for one in await self._statuses():
            ended = self._ended(one.route.name).items()
            mine = counters_of(one) | {f"{_ENDED}{name}": value for name, value in ended}
            found[one.route.key] = mine
            await piece.end()
        return found

    async def _statuses(self) -> Sequence[RouteStatus]:
        """Return what the relay knows of all routes, with turns for other work of the loop."""
        routes = self.routes()
        found, piece = list[RouteStatus](), Slice()
        for first in range(0, len(routes), _AT_ONCE):
            found += self._relay.status(routes[first : first + _AT_ONCE])
            await piece.end()
        return found

    async def _say_gone(self, successor: int, went: int) -> None:
        left = sum(status.open for status in await self._statuses())
        goes_on = ""
        if went:
            count = "1 open session" if went == 1 else f"{went} open sessions"
            goes_on = f", with {count}"
        if left:
            count = "1 open session goes" if left == 1 else f"{left} open sessions go"
            goes_on += f"; {count} on here until the end (SIGTERM gives it the grace)"
        log.event(
            log.INFO,
            "handed_over",
            f"process {successor} has taken over{goes_on}",
            pid=successor,
            sessions=left,
            passed=went,
        )
