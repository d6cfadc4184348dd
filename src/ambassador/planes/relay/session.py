"""One TCP session: an accepted client, a wait for its upstream, then bytes both ways.

Where nothing is in doubt (an address is known, and answered last time), the session connects to it
at once, without a task of asyncio. Else, and when that fails, it waits for the `search`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ambassador.core.ejection import EARLY
from ambassador.core.retry import attempt_limit
from ambassador.core.session import TABLE, Action, Event, State
from ambassador.model import Reason
from ambassador.planes.relay.choice import affinity
from ambassador.planes.relay.dial import Dial, Dialler
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.options import no_delay, reset
from ambassador.planes.relay.refusal import doubt, is_ours, patience, refuse_ourselves, spoken
from ambassador.planes.relay.resets import lasted
from ambassador.planes.relay.search import Search
from ambassador.planes.relay.side import Side, side_of
from ambassador.planes.relay.source_ports import NO_PORT
from ambassador.planes.relay.surroundings import Surroundings
from ambassador.planes.relay.tally import begun_here
from ambassador.planes.relay.trial import Trial
from ambassador.planes.relay.waiting import WaitingSession

if TYPE_CHECKING:
    from ambassador.core.proxy.header import Header

__all__ = ["Session"]

_DIAL = Event.DIAL


class Session(WaitingSession, Dialler):
    """One client of a route, from accept to the close of both sides."""

    __slots__ = ("_beside", "_dial", "_search", "failure", "header")

    def __init__(
        self,
        around: Surroundings,
        live: LiveRoute,
        client: socket.SocketType,
        address: object,
        *,
        search: Search,
        done: Callable[[Any], None],
    ) -> None:
        super().__init__(around, live, client, address, done)
        self.since, self.waits = self.started, None
        self._dial: Dial | None = None  # the connection that is being made
        self._beside: tuple[Dial, ...] = ()  # earlier dials that may still answer
        self._search = search
        self.header: Header | None = None  # the PROXY header that the client has sent
        self.failure = ""  # why its own last attempt to connect failed

    @property
    def aim(self) -> tuple[str, int] | None:
        """The place it is being connected to; None where there is none, or while it searches."""
        return self._dial.candidate.place if self._dial else None

    def start(self) -> None:
        """Look for an upstream and begin to carry."""
        self.around.descriptors.take(2)
        counters = self.live.counters
        counters.opened += 1
        counters.open += 1
        begun_here(self.around.doors.shared, self._search.book)
        self.poller.add(self.client.sock.fileno(), self.client)
        self._seek() if self.waits is None else self._wait(self.waits)

    def go_on(
        self, candidate: Candidate | None, sock: socket.SocketType | None, error: int
    ) -> None:
        """Go on where a worker stopped: it was connecting to `candidate` by `sock`, or this has
        failed with `error`.
        """
        self.around.descriptors.take(2)
        counters = self.live.counters
        counters.opened += 1
        counters.open += 1
        self.poller.add(self.client.sock.fileno(), self.client)
        self.since = self.started
        if sock is not None and (candidate is None or self.live.route.hold is not None):
            reset(sock)
            sock.close()
        elif sock is not None and candidate is not None:
            limit = attempt_limit(self.since + self.live.route.connect - time.monotonic(), 1)
            self._dial = Dial.go_on(candidate, limit, sock, self, self.around.patience)
            self.state, _ = TABLE[self.state, _DIAL]
            return
        if error and candidate is not None and self.live.route.hold is None:
            failed = OSError(error, os.strerror(error))
            self.failure = f"{candidate}: {spoken(failed)}"
            if not is_ours(failed) and error not in NO_PORT:
                self._missed(candidate)
                self._look_further()
                return
        self._seek()

    @property
    def entrance(self) -> tuple[int, int]:
        """See SharedSession."""
        return self._search.port, self._search.book

    @property
    def dial(self) -> Dial | None:
        """The connection that is being made for it, if there is one."""
        return self._dial

    def let_go(self) -> None:
        """See SharedSession.taken."""
        self._stop_waiting()
        self._search.leave(self)
        if self._dial is not None:
            self._dial.taken()
            for dial in self._beside:
                dial.drop()
            self.around.descriptors.give(len(self._beside))
            self._dial, self._beside = None, ()

    def resume(
        self,
        since: float,
        held: float | None = None,
        failure: str = "",
        dial: tuple[Candidate, socket.SocketType] | None = None,
    ) -> None:
        """Go on looking for an upstream, as another process has done `since` then. The session was
        `held` since, had a `failure`, or had a `dial`: a candidate and the socket to it.
        """
        self.poller.add(self.client.sock.fileno(), self.client)
        self.since, self.failure = since, failure
        if dial is not None and self.live.route.hold is None:
            candidate, sock = dial
            limit = attempt_limit(since + self.live.route.connect - time.monotonic(), 1)
            self._dial = Dial.go_on(candidate, limit, sock, self, self.around.patience)
            self.state, _ = TABLE[self.state, _DIAL]
            return
        if dial is not None:
            dial[1].close()
        if self.waits is not None and self.live.counters.queue.takes(self.live.route, self.waits):
            self._wait(self.waits, held)
        else:
            self.waits = None
            self._seek(held)

    def reconnect(self) -> None:
        """Look for an upstream anew, in the time that is left, if none has been found yet."""
        if self.state is State.SEARCHING and self.live.route.hold is None:
            self._search.restart()
            return
        self.happened(Event.ANEW)
        if self.state is State.ACCEPTED:
            self._seek()

    def give_up(self, action: Action) -> None:
        """See Pair."""
        if action is Action.DROP_DIAL and self._dial is not None:
            self._dial.drop()
            for dial in self._beside:
                dial.drop()
            self.around.descriptors.give(len(self._beside))
            self._dial, self._beside = None, ()
        elif action is Action.STOP_SEARCH:
            self._search.leave(self)
        elif action is Action.LEAVE_HOLD:
            self._stop_waiting()

    @property
    def is_passable(self) -> bool:
        """See SharedSession. A handshake that has begun cannot be passed either."""
        dials = (self._dial, *self._beside)
        if any(one is not None and one.candidate.endpoint.tls is not None for one in dials):
            return False
        return super().is_passable

    def side_failed(self, side: Side, why: str) -> None:
        """See Pair. An endpoint that fails in TLS before its first byte counts as unreachable."""
        if not self.detail:
            self.detail = why
        if side is self.upstream and not side.received and self.candidate is not None:
            endpoint = self.candidate.endpoint
            self.around.keyring.forget(endpoint)
            self.live.failed(endpoint, why, time.monotonic())

    def _seek(self, held: float | None = None) -> None:
        """Look for an upstream, or wait where the route is held; `held`: since when it has waited
        in another process.
        """
        hold = self.live.route.hold
        if hold is None:
            sure = self.live.sure(self._search.port, self.around.resolver, self._host)
            if sure is None or not self._try(sure):
                self._look_further()
        elif not self.live.hold_queue.enter(self, hold, self._released, self._late, held):
            self._refuse(Reason.REFUSED, f"{hold.limit} sessions are held already")
        else:
            self._hold()

    def _try(self, candidate: Candidate) -> bool:
        """Begin to connect to `candidate`; tell whether that may still succeed."""
        around, route = self.around, self.live.route
        limit = attempt_limit(self.since + route.connect - time.monotonic(), 1)
        if limit <= 0:
            return False
        try:
            refuse_ourselves(candidate, around.is_own)
            dial = Dial.begin(
                candidate, limit, self, around.patience, around.ports, sources=route.source
            )
        except OSError as error:
            self.failure = f"{candidate}: {spoken(error)}"
            if not is_ours(error):
                self._missed(candidate)
            return False
        self._dial = dial
        self.state, _ = TABLE[self.state, _DIAL]  # as `happened`, but faster: there is no action
        return True

    def _look_further(self) -> None:
        """Try the addresses that answered lately, else wait for the search."""
        now = time.monotonic()
        for candidate in self.live.order(self._search.port, self.around.resolver, now, self._host):
            if self._try(candidate):
                return
        self.happened(Event.SEARCH)
        live = self.live
        time_ = max(live.route.connect, patience(live.usable_now, self.around.resolver))
        self._search.enter(self, self.since + time_, self.failure)

    def _missed(self, candidate: Candidate) -> None:
        self.live.missed(candidate, self.failure, time.monotonic())
        doubt(candidate.endpoint, self.around.resolver)

    def overdue(self, dial: Dial) -> None:
        """`dial` takes long: try another address, too; see dial.Dialler."""
        if dial is not self._dial or not self.around.descriptors.available(1):
            return
        now, port = time.monotonic(), self._search.port
        tried = {one.candidate for one in (dial, *self._beside)}
        for candidate in self.live.order(port, self.around.resolver, now, self._host):
            if candidate not in tried:
                self.live.overtaken(dial.candidate, now)
                if self._try(candidate):
                    self._beside = (*self._beside, dial)
                    self.around.descriptors.take(1)
                return

    def answered(self, dial: Dial, sock: socket.SocketType, events: int) -> None:
        """`dial` has succeeded; see dial.Dialler and search.Search."""
        if self.live.in_doubt:
            self.live.answered(dial.candidate, time.monotonic())
        if self._beside:
            self._pass_on(dial)
        self._dial = None
        upstream = side_of(self, sock)
        self.poller.give(sock.fileno(), upstream)
        self._join(dial.candidate, upstream, events)

    def _pass_on(self, dial: Dial) -> None:
        """Let other dials than `dial` go on as trials, which show whether addresses answer."""
        for one in (self._dial, *self._beside):
            if one is not None and one is not dial:
                one.dialler = Trial(self.live, self.around)
        self._beside = ()

    def failed(self, dial: Dial, reason: str) -> None:
        """`dial` has failed; see dial.Dialler."""
        self.failure = reason
        others = [one for one in (*self._beside, self._dial) if one not in (dial, None)]
        self._dial = others.pop() if others else None
        self._beside = tuple(one for one in others if one is not None)
        self._missed(dial.candidate)
        if self._dial is not None:
            self.around.descriptors.give(1)
        else:
            self._look_further()

    def again(self) -> None:
        """See search.Search."""
        self.happened(Event.ANEW)
        self._seek()

    def late(self, reason: str) -> None:
        """See search.Search."""
        self._refuse(Reason.UNREACHABLE, reason)

    def _join(self, candidate: Candidate, upstream: Side, events: int = 0) -> None:
        self.candidate = candidate
        self.connected = time.monotonic()
        if candidate.port:
            no_delay(upstream.sock)
            self.around.keepalives.add(upstream, self.live.route.keepalive)
        self.counted_in = self.live.opened(candidate)
        if self.live.resets.out.until:  # if it is open after EARLY, an ejected address works again
            asyncio.get_running_loop().call_later(EARLY, self._proves)
        if candidate.endpoint.proxy:
            from ambassador.planes.relay.introduction import introduce  # noqa: PLC0415

            introduce(self, candidate.endpoint.proxy, upstream)
        self.join(upstream, events)

    def _proves(self) -> None:
        if self.reason is None and self.candidate is not None:
            lasted(self.live, self.candidate)

    @property
    def _host(self) -> str:
        return affinity(self.live.route, self.address)
