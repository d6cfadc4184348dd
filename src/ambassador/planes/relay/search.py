"""Look for an upstream for all clients that wait at one port of a route, with one search for all.

However many clients wait, an endpoint that does not answer is tried by one connection at a time,
round after round, with a growing pause. The connection that is made is the upstream of the client
that has waited longest, and the others connect by themselves. Where an address takes long to
answer, the next is tried, too (RFC 8305). A client only waits for its turn, or for the end of the
route's `connect`.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import random
import socket
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ambassador.core.retry import FIRST_WAIT, LONGEST_WAIT, attempt_limit, backoff
from ambassador.errors import ResolveError
from ambassador.model import Endpoint, Inet
from ambassador.planes.relay.dial import Dial, Dialler
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.options import reset
from ambassador.planes.relay.refusal import doubt, is_ours, patience, refuse_ourselves, spoken
from ambassador.planes.relay.shared import NO_DOOR
from ambassador.planes.relay.surroundings import Surroundings
from ambassador.tasks import spawn

if TYPE_CHECKING:
    from ambassador.planes.relay.session import Session

__all__ = ["Search"]

_PIECE = 20  # clients that are handled in one turn of the event loop: 2 ms


class Search(Dialler):
    """Searches while a client waits. A seeker is the session of a client that waits here."""

    def __init__(self, live: LiveRoute, port: int, around: Surroundings) -> None:
        self.poller = around.poller
        self.port = port
        self.book = NO_DOOR  # where workers count sessions of its listener; see Shared
        self._live = live
        self._around = around
        self._reason = ""
        self._waiting: dict[Session, float] = {}  # until when, by the monotonic clock
        self._order: list[tuple[float, int, Session]] = []  # a heap of the same
        self._count = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_new = False  # the task has not begun
        self._wanted = asyncio.Event()  # a client has come since the last round began
        # Names that are being resolved.
        self._questions: dict[Endpoint, asyncio.Task[Sequence[Candidate] | None]] = {}
        self._queue: deque[Candidate] = deque()  # addresses still to try in this round
        self._dials: set[Dial] = set()
        self._over: asyncio.Future[bool] | None = None  # of this round: whether one answered

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, seeker: Session, deadline: float, reason: str = "") -> None:
        """Let `seeker` wait until `deadline` at most, by the monotonic clock. `reason`: why it did
        not succeed by itself.
        """
        self._reason = reason or self._reason
        self._waiting[seeker] = deadline
        heapq.heappush(self._order, (deadline, next(self._count), seeker))
        self._wanted.set()
        if self._task is None:
            self._start()
        if self._order[0][2] is seeker:
            self._arm()

    def leave(self, seeker: Session) -> None:
        """Let `seeker` wait no longer, if it does."""
        if self._waiting.pop(seeker, None) is not None and not self._waiting:
            self._stop()

    def restart(self) -> None:
        """Begin the search again: endpoints or addresses have changed."""
        if self._task is not None and not self._is_new:
            self._stop()
            self._start()

    def overdue(self, dial: Dial) -> None:
        """See dial.Dialler."""
        if self._queue:
            self._live.overtaken(dial.candidate, time.monotonic())
            self._next()

    def answered(self, dial: Dial, sock: socket.SocketType, events: int) -> None:
        """See dial.Dialler."""
        self._dials.discard(dial)
        self._live.answered(dial.candidate, time.monotonic())
        self._end_round(True)
        seeker = next(iter(self._waiting), None)
        if seeker is None:
            reset(sock)
            self.poller.close_socket(sock)
        else:
            del self._waiting[seeker]
            seeker.answered(dial, sock, events)

    def failed(self, dial: Dial, reason: str) -> None:
        """See dial.Dialler."""
        self._dials.discard(dial)
        self._missed(dial.candidate, reason)
        if self._queue:
            self._next()
        elif not self._dials:
            self._end_round(False)

    def broke(self) -> None:
        """See poller.Ready: this round has failed."""
        self._end_round(False)

    def _start(self) -> None:
        self._is_new = True
        self._task = spawn(self._run(), f"search of {self._live.route.name}")

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._end_round(False)
        for question in self._questions.values():
            question.cancel()
        self._questions.clear()
        if not self._waiting:
            self._reason = ""
            self._order.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    async def _run(self) -> None:
        try:
            await self._search()
        except Exception:  # it is logged; the search begins again later, for clients that wait
            self._task = None
            self._end_round(False)
            asyncio.get_running_loop().call_later(LONGEST_WAIT, self._resume)
            raise

    def _resume(self) -> None:
        if self._waiting and self._task is None:
            self._start()

    async def _search(self) -> None:
        self._is_new = False
        rounds = 0
        while self._waiting:
            self._wanted.clear()
            if await self._round():
                rounds = 0
                await self._release()
                continue
            pause = backoff(rounds, random.random())
            rounds += 1
            await asyncio.sleep(min(pause, FIRST_WAIT))
            if pause > FIRST_WAIT:  # a new client ends the rest of the pause
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause - FIRST_WAIT):
                        await self._wanted.wait()
        self._task = None
        self._stop()

    async def _round(self) -> bool:
        """Try every address of every endpoint once; tell whether one answered."""
        live, now = self._live, time.monotonic()
        endpoints = live.choose(now)
        if not endpoints:
            self._reason = "no endpoint takes new sessions"
            return False
        candidates = await self._candidates(endpoints)
        if not candidates:
            return False
        self._over = asyncio.get_running_loop().create_future()
        self._queue.extend(live.trusted_first(candidates, now))
        self._next()
        return await self._over

    async def _candidates(self, endpoints: Sequence[Endpoint]) -> list[Candidate]:
        """Return the addresses of `endpoints` that are known by now. Wait for a name only while
        there is nothing else to try.
        """
        live, resolver = self._live, self._around.resolver
        found: dict[Endpoint, Sequence[Candidate]] = {}
        for endpoint in endpoints:
            if endpoint not in self._questions:
                where = endpoint.address
                if isinstance(where, Inet) and not resolver.known(where.host):
                    asking = spawn(self._ask(endpoint), f"addresses of {where.host}")
                    self._questions[endpoint] = asking
                else:
                    found[endpoint] = await live.candidates(endpoint, self.port, resolver)
        patience(endpoints, resolver)  # tells the resolver that a client waits
        if not found and not self._reason:
            self._reason = "its name is not resolved in time"
        if self._questions:
            if found:
                await asyncio.sleep(0)
            else:
                await asyncio.wait(self._questions.values(), return_when=asyncio.FIRST_COMPLETED)
            for endpoint, question in list(self._questions.items()):
                if question.done():
                    del self._questions[endpoint]
                    if (candidates := question.result()) is not None and endpoint in endpoints:
                        found[endpoint] = candidates
        return [one for endpoint in endpoints for one in live.turned(found.get(endpoint, ()))]

    async def _ask(self, endpoint: Endpoint) -> Sequence[Candidate] | None:
        try:
            return await self._live.candidates(endpoint, self.port, self._around.resolver)
        except ResolveError as error:
            self._reason = str(error)
            self._live.failed(endpoint, self._reason, time.monotonic())
            return None

    def _next(self) -> None:
        """Try the next address of this round."""
        around, route = self._around, self._live.route
        while self._queue:
            limit = attempt_limit(route.connect, len(self._queue) + len(self._dials))
            candidate = self._queue.popleft()
            try:
                refuse_ourselves(candidate, around.is_own)
                dial = Dial.begin(
                    candidate, limit, self, around.patience, around.ports, sources=route.source
                )
            except OSError as error:
                reason = f"{candidate}: {spoken(error)}"
                if is_ours(error):
                    self._reason = reason
                    self._queue.clear()
                else:
                    self._missed(candidate, reason)
            else:
                self._dials.add(dial)
                return
        if not self._dials:
            self._end_round(False)

    def _missed(self, candidate: Candidate, reason: str) -> None:
        self._reason = reason
        self._live.missed(candidate, reason, time.monotonic())
        doubt(candidate.endpoint, self._around.resolver)

    def _end_round(self, answered: bool) -> None:
        self._queue.clear()
        dials, self._dials = self._dials, set()
        for dial in dials:
            dial.drop()
        if self._over is not None and not self._over.done():
            self._over.set_result(answered)

    async def _release(self) -> None:
        """Let clients that wait connect by themselves, in the order they came. Where free source
        ports are rare, do not: then they are served one at a time.
        """
        if self._around.ports.is_short:
            return
        for seeker in list(self._waiting):
            if self._waiting.pop(seeker, None) is not None:
                seeker.again()
            if next(self._count) % _PIECE == 0:
                await asyncio.sleep(0)
                if self._live.is_hopeless(self.port, self._around.resolver):
                    return

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._order and self._waiting.get(self._order[0][2]) != self._order[0][0]:
            heapq.heappop(self._order)
        if self._order:
            loop = asyncio.get_running_loop()
            delay = max(0.0, self._order[0][0] - time.monotonic())
            self._timer = loop.call_later(delay, self._look)

    def _look(self) -> None:
        """End the wait of clients whose time is over, some in each turn of the event loop."""
        now = time.monotonic()
        for _ in range(_PIECE):
            if not self._order or self._order[0][0] > now:
                break
            deadline, _, seeker = heapq.heappop(self._order)
            if self._waiting.get(seeker) == deadline:
                del self._waiting[seeker]
                seeker.late(self._reason or "it is not connected in time")
        if self._waiting:
            self._arm()
        else:
            self._stop()
