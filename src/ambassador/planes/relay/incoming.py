"""Sessions and flows that come here from the predecessor; `outgoing` is the other end.

They are built while the predecessor still carries them. Their sockets are in the poller already,
but the poller makes no turn until `begin`. Until then nothing is done to a socket that its peer
could see, so that all that was taken can be dropped again without a trace.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ambassador.core.departure import Departure, Standing
from ambassador.core.limits import is_limited
from ambassador.core.session import State
from ambassador.model import Reason, Route, RouteKey
from ambassador.planes.relay.client import host_of
from ambassador.planes.relay.delivery import Delivery
from ambassador.planes.relay.departures import Leaving
from ambassador.planes.relay.flow import UdpFlow
from ambassador.planes.relay.listener import StreamListener
from ambassador.planes.relay.parcels import (
    ancillary_of,
    candidate_of,
    closed_socket,
    header_of,
    passed_of,
    read,
    senseless,
)
from ambassador.planes.relay.passing import restore
from ambassador.planes.relay.route import RelayRoute, StreamOrUdp
from ambassador.planes.relay.session import Session
from ambassador.planes.relay.side import Side
from ambassador.planes.relay.surroundings import Surroundings
from ambassador.planes.relay.taken import Anything, Taken, TakenFlow, TakenGreeting, drop
from ambassador.planes.relay.their_routes import TheirRoutes
from ambassador.planes.relay.worker_messages import Passed
from ambassador.spec import parse_existing

__all__ = ["Incoming"]

_YOUNG = 2.0  # seconds: a session younger than this may not have its keepalive yet
_Socks = list[socket.SocketType]


class _Waiting(NamedTuple):
    taken: Taken
    since: float
    held: float | None
    failure: str


class Incoming:
    """Builds them. `routes` are our routes by their listen addresses; `retired` makes a route that
    has left already; `failed` is told of each exception that a session lets pass.
    """

    def __init__(
        self,
        around: Surroundings,
        routes: Mapping[RouteKey, RelayRoute],
        retired: Callable[[Route], RelayRoute],
        failed: Callable[[Exception], None],
    ) -> None:
        self._around = around
        self._failed = failed
        self._theirs = TheirRoutes(routes, retired)
        self._taken: dict[int, Anything] = {}
        self._waiting: list[_Waiting] = []
        self._greetings: list[TakenGreeting] = []
        self._flows: list[tuple[TakenFlow, list[bytes], float | None]] = []
        self._leaving: list[tuple[RelayRoute, Leaving]] = []
        self._delivering: list[Side] = []

    def take(self, text: bytes, descriptors: Sequence[int]) -> None:
        """See ports.ListeningPlane."""
        socks = [socket.SocketType(fileno=one) for one in descriptors]
        try:
            said = read(text)
            for serial, one in said["routes"].items():
                self._theirs.hear(int(serial), one)
            for serial, key, count, kind, known in said["parcels"]:
                if len(socks) < count:
                    raise ValueError("sockets are missing")
                if (route := self._theirs.find(serial)) is not None:
                    self._build(route, key, kind, known, socks[:count])
                else:  # a UDP flow of a route that we do not have: it ends with its listener
                    for sock in socks[:count]:
                        sock.close()
                socks = socks[count:]
        except Exception as error:  # a text from another process may cause any
            for sock in socks:
                sock.close()
            raise senseless(error) from error

    def settle(self, state: bytes) -> None:
        """See ports.ListeningPlane."""
        try:
            text, _, unsent = state.partition(b"\n")
            self._settle(read(text), memoryview(unsent))
        except Exception as error:
            raise senseless(error) from error

    def disown(self) -> None:
        """See ports.ListeningPlane."""
        taken, self._taken = self._taken, {}
        for one in taken.values():
            drop(one)
        self._waiting.clear()
        self._flows.clear()
        self._leaving.clear()

    def begin(self) -> None:
        """Carry all of them from now on; see ports.ListeningPlane."""
        self._taken.clear()
        now = time.monotonic()
        for side in self._delivering:
            side.delivery = Delivery(side)
            side.delivery.look()
        for taken, since, held, failure in self._waiting:
            session = taken.session
            try:
                session.resume(since, held, failure, taken.dial)
            except Exception as error:
                self._failed(error)
                session.broke()
        for listener, client, address, until in self._greetings:
            if listener.live.route.proxy:
                listener.greet(client, address, until)
            else:
                listener.begin(client, address, True)
        for taken_flow, datagrams, held in self._flows:
            taken_flow.listener.resume_flow(taken_flow.flow, datagrams, held)
        for route, leaving in self._leaving:
            route.departures.go_on(leaving)
        for route in self._theirs.gone:
            route.departures.removed()
        for route in self._theirs.found.values():
            route.departures.changed()
            for session in route.sessions:
                upstream = session.upstream
                if upstream is not None and session.grown_to(now) < _YOUNG:
                    self._around.keepalives.add(upstream, session.live.route.keepalive)

    def _build(
        self, route: RelayRoute, key: int, kind: str, known: list[Any], socks: _Socks
    ) -> None:
        listener = _at(route, int(known[0]))
        if kind == "flow":
            self._taken[key] = self._flow(route, listener, known, socks)
            return
        if not isinstance(listener, StreamListener):
            raise TypeError("a session at a route of datagrams")
        if kind == "greeting":
            _, client, until = known
            self._taken[key] = TakenGreeting(listener, socks[0], _address(client), float(until))
            return
        _, number, client, started, *rest = known
        there = iter(socks)
        closed = rest[2] if kind == "open" else (False, False)
        first, second = (closed_socket() if one else next(there, None) for one in closed)
        assert first is not None
        address = _address(client)
        where = rest[1] if kind == "open" else rest[0]
        candidate = candidate_of(route.live.route, *where) if where else None
        waits = rest[2] and Reason(rest[2]) if kind == "waiting" else None
        if is_limited(route.live.route) and waits is None:
            route.live.counters.limits.here(host_of(address))
        session = listener.session(first, address)
        taken = self._taken[key] = Taken(session)
        session.number, session.started = int(number), float(started)
        if kind == "open" and second is not None:
            session.candidate, session.connected = candidate, rest[0]
            upstream = session.upstream = taken.upstream = Side(session, second)
            _join(session, session.client, upstream)
            for sock, side in ((first, session.client), (second, upstream)):
                if sock.fileno() >= 0:
                    self._around.poller.add(sock.fileno(), side)
        else:
            session.header, session.waits = rest[1] and header_of(rest[1]), waits
            if candidate is not None and second is not None:
                taken.dial = candidate, second
        session.adopt()

    def _flow(
        self,
        route: RelayRoute,
        listener: StreamOrUdp,
        known: list[Any],
        socks: _Socks,
    ) -> TakenFlow:
        if isinstance(listener, StreamListener):
            raise TypeError("a flow at a route of sessions")
        _, number, client, ancillary, origin, began, where, told = known
        address = tuple(client)
        flow = UdpFlow(
            (address, ancillary_of(origin)),
            0.0,
            address,
            ancillary_of(ancillary),
            began=float(began),
            id=f"r{route.live.serial}.{int(number)}",
            memory=self._around.poller.memory,
        )
        if socks and where:
            flow.upstream, flow.candidate = (
                socks[0],
                candidate_of(route.live.route, *where),
            )
        flow.told = int(told[0]), int(told[1])
        return TakenFlow(flow, listener)

    def _settle(self, said: dict[str, Any], unsent: memoryview) -> None:
        self._theirs.number(dict(said["numbers"]))
        taken, self._taken = self._taken, {}
        try:
            self._settled(taken, said, unsent)
        except BaseException:
            self._taken |= taken
            raise
        for one in taken.values():  # a session or flow that has ended there meanwhile
            drop(one)

    def _settled(
        self, taken: dict[int, Anything], said: dict[str, Any], unsent: memoryview
    ) -> None:
        kept = self._taken
        sessions: dict[int, Session] = {}
        for key, up, down in said["plain"]:
            one = kept[key] = taken.pop(key)
            assert isinstance(one, Taken) and one.upstream is not None
            sessions[key] = session = one.session
            session.client.received, one.upstream.received = up, down
        for key, reason, detail, *passed in said["odd"]:
            one = kept[key] = taken.pop(key)
            assert isinstance(one, Taken) and one.upstream is not None
            sessions[key] = session = one.session
            session.reason, session.detail = reason and Reason(reason), str(detail)
            unsent = self._odd(session, one.upstream, passed_of(passed), unsent)
        for key, since, held, failure in said["waiting"]:
            one = kept[key] = taken.pop(key)
            assert isinstance(one, Taken)
            sessions[key] = one.session
            self._waiting.append(_Waiting(one, since, held, str(failure)))
        self._others(taken, said, unsent)
        for key in said["left"]:
            sessions[key].standing = Standing.LEAVING
        for serial, reason, policy, began, keys in said["leaving"]:
            why = Departure(Reason(reason), parse_existing(policy))
            if (route := self._theirs.found.get(serial)) is not None:
                leaving = Leaving(why, float(began), [sessions[key] for key in keys])
                self._leaving.append((route, leaving))
        for serial, limits in said["limits"]:
            if (route := self._theirs.here.get(serial)) is not None:
                route.live.counters.limits.heard(limits)

    def _others(self, taken: dict[int, Anything], said: dict[str, Any], unsent: memoryview) -> None:
        """Settle the clients that have no session yet, and the flows."""
        kept = self._taken
        for key in said["greetings"]:
            one = kept[key] = taken.pop(key)
            assert isinstance(one, TakenGreeting)
            self._greetings.append(one)
        flows = sorted(said["flows"], key=lambda known: known[1])
        places = {known[0]: known for known in said["flows"]}  # in the order of `unsent`
        datagrams: dict[int, list[bytes]] = {}
        for key, known in places.items():
            datagrams[key] = []
            for size in known[7]:
                datagrams[key].append(bytes(unsent[:size]))
                unsent = unsent[size:]
        for key, used, refused, answered, up, down, dropped, _, held in flows:
            if key not in taken:
                continue
            one = kept[key] = taken.pop(key)
            assert isinstance(one, TakenFlow)
            flow = one.flow
            flow.used, flow.refused, flow.answered = float(used), bool(refused), bool(answered)
            flow.to_upstream, flow.to_client, flow.dropped = int(up), int(down), int(dropped)
            one.listener.flows.adopt(flow)
            self._flows.append((one, datagrams[key], held))

    def _odd(
        self, session: Session, upstream: Side, passed: Passed, unsent: memoryview
    ) -> memoryview:
        size = passed.client.unsent + passed.upstream.unsent
        restore(session, passed, upstream, bytes(unsent[:size]))
        for side, known in ((session.client, passed.client), (upstream, passed.upstream)):
            if known.delivers and not side.closed:
                self._delivering.append(side)
        return unsent[size:]


def _join(session: Session, client: Side, upstream: Side) -> None:
    """Have `client` and `upstream` as an open session, unless `settle` changes that."""
    session.state = State.OPEN
    client.peer = client.to = upstream
    upstream.peer = upstream.to = client


def _at(route: RelayRoute, port: int) -> StreamOrUdp:
    for listener in route.listeners:
        if listener.port == port or len(route.listeners) == 1:
            return listener
    raise ValueError(f"{route.live.route.name} has no port {port}")


def _address(client: Any) -> object:
    return tuple(client) if isinstance(client, list) else client
