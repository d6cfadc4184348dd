"""All sessions and flows of a relay are passed to the successor; `incoming` is the other end.

First go copies of their sockets, with the facts that do not change, while all are carried on here.
Then, in one moment in which this process does nothing else, goes what may have changed: unsent
bytes, counts, and which sessions wait or leave, since when. So the pause is short however many
sessions there are. Nothing is given away before it is over: if the successor fails until then, this
process goes on.

The text is JSON; in the state, unsent bytes follow after a newline. `incoming` reads it:

    a piece   routes    serial -> protocol, listen address, name, policy, whether it has left
              parcels   [serial, key, sockets, kind, facts], in the order of the sockets
              First come pieces without parcels, with all routes that have not left.
    the state numbers   [serial of a route, last number of a session there]
              plain     [key, bytes to upstream, bytes to client] of sessions that are just open
              odd       [key, reason, detail, what `passing` has of it]
              waiting, greetings, flows, leaving, left, limits
"""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ambassador.core.departure import Standing
from ambassador.core.limits import is_limited
from ambassador.core.session import Event, State
from ambassador.planes.relay.listener import StreamListener
from ambassador.planes.relay.parcels import written
from ambassador.planes.relay.passing import VERSION, pack
from ambassador.planes.relay.session import Session
from ambassador.planes.relay.side import Side
from ambassador.ports import Piece
from ambassador.spec import format_address, format_endpoint, format_existing

if TYPE_CHECKING:
    import socket

    from ambassador.planes.relay.evidence import Candidate
    from ambassador.planes.relay.flow import UdpFlow
    from ambassador.planes.relay.greeting import Greeting, Greetings
    from ambassador.planes.relay.live import LiveRoute
    from ambassador.planes.relay.route import RelayRoute
    from ambassador.planes.relay.udp_flows import UdpFlows

    Passable: TypeAlias = Session | UdpFlow | Greeting
    _Routes: TypeAlias = Iterable[tuple[RelayRoute, bool]]

__all__ = ["Outgoing"]

_SOCKETS = 190  # sockets of one piece; SCM_MAX_FD of Linux is 253
_ROUTES = 200  # routes of one piece without sockets: it is written and read in about 2 ms
_LOOKING = frozenset({State.ACCEPTED, State.HELD, State.SEARCHING})
_LONGEST = 200  # characters of a reason


class _Copy(NamedTuple):
    key: int
    token: object  # when this has changed, the copy is out of date


class _Parcel(NamedTuple):
    live: LiveRoute
    has_left: bool
    fields: list[Any]
    socks: list[socket.SocketType]


class Outgoing:
    """Makes the copies, then the state. `routes` yields each route, and whether it has left."""

    def __init__(self, routes: Callable[[], Iterable[tuple[RelayRoute, bool]]]) -> None:
        self._routes = routes
        self._keys = itertools.count(1)
        self._copies: dict[Passable, _Copy] = {}
        self._final: list[Callable[[], None]] = []
        self._told: set[int] = set()  # serials of routes
        # From `look`: routes that may have sessions or flows, the last numbers, limited routes.
        self._busy: list[tuple[RelayRoute, bool]] | None = None
        self._numbers: dict[int, int] = {}
        self._limited: list[LiveRoute] = []

    def pieces(self) -> Iterator[Piece]:
        """Yield copies of the sessions and flows that are new since the last call. Sessions may go
        on, and end, in between.
        """
        if not self._told:
            yield from self._places()
        yield from self._pieces(self._fresh(self._routes(), last=False))

    def look(self) -> Iterator[None]:
        """Find out which routes have sessions or flows, one route at a time, when no client comes
        any longer. Of thousands of routes few have some, and `freeze` looks at these alone.
        """
        busy: list[tuple[RelayRoute, bool]] = []
        self._busy, self._limited = None, []
        for route, has_left in tuple(self._routes()):
            if _may_be_busy(route):
                busy.append((route, has_left))
            if not has_left:
                self._numbers[route.live.serial] = route.live.number
            if is_limited(route.live.route):
                self._limited.append(route.live)
            yield
        self._busy = busy

    def freeze(self) -> tuple[list[Piece], bytes]:
        """Return the rest of the copies, and the state of all sessions and flows. It is valid only
        as long as this process does nothing else.
        """
        if self._busy is None:
            deque(self.look(), 0)
        assert self._busy is not None
        late = list(self._pieces(self._fresh(self._busy, last=True)))
        return late, self._state(self._busy)

    def gone(self) -> int:
        """Let go of all sessions, flows and clients that the successor has; return how many."""
        for let_go in self._final:
            let_go()
        return len(self._final)

    def _sessions(self, routes: _Routes) -> Iterator[tuple[LiveRoute, bool, int, Session]]:
        for route, has_left in tuple(routes):
            for listener in route.listeners:
                if isinstance(listener, StreamListener):
                    for session in listener.sessions:
                        if session.is_passable:
                            yield route.live, has_left, listener.port, session

    def _greetings(
        self, routes: _Routes
    ) -> Iterator[tuple[LiveRoute, Greetings, int, Greeting, float]]:
        for route, has_left in routes:
            for listener in route.listeners:
                if not has_left and isinstance(listener, StreamListener) and listener.greetings:
                    for greeting, until in listener.greetings.waiting.items():
                        yield route.live, listener.greetings, listener.port, greeting, until

    def _flows(self, routes: _Routes) -> Iterator[tuple[LiveRoute, UdpFlows, int, UdpFlow]]:
        for route, has_left in tuple(routes):
            for listener in route.listeners:
                if not (has_left or isinstance(listener, StreamListener)):
                    for flow in listener.flows:
                        if flow in listener.flows:
                            yield route.live, listener.flows, listener.port, flow

    def _pieces(self, parcels: Iterable[_Parcel]) -> Iterator[Piece]:
        routes: dict[int, list[Any]] = {}
        fields: list[list[Any]] = []
        socks: list[socket.SocketType] = []
        for parcel in parcels:
            if len(socks) + len(parcel.socks) > _SOCKETS:
                yield _piece(routes, fields, socks)
                routes, fields, socks = {}, [], []
            live = parcel.live
            if live.serial not in routes and (parcel.has_left or live.serial not in self._told):
                routes[live.serial] = _told(live, parcel.has_left)
            fields.append([live.serial, *parcel.fields])
            socks += parcel.socks
        if fields:
            yield _piece(routes, fields, socks)

    def _is_copied(self, who: Passable, token: object) -> bool:
        copy = self._copies.get(who)
        return copy is not None and copy.token is token

    def _places(self) -> Iterator[Piece]:
        """Yield all routes that have not left."""
        routes = [route.live for route, has_left in self._routes() if not has_left]
        for first in range(0, len(routes), _ROUTES):
            some = routes[first : first + _ROUTES]
            yield _piece({live.serial: _told(live, has_left=False) for live in some}, [], [])
            self._told |= {live.serial for live in some}

    def _fresh(self, routes: _Routes, *, last: bool) -> Iterator[_Parcel]:
        routes = tuple(routes)
        for live, has_left, port, session in self._sessions(routes):
            kind = _kind(session)
            if (last or kind is not _OTHER) and not self._is_copied(session, kind):
                key = next(self._keys)
                self._copies[session] = _Copy(key, kind)
                yield _Parcel(live, has_left, *_session(key, port, session))
        for live, _, port, flow in self._flows(routes):
            if not self._is_copied(flow, flow.upstream):
                key = next(self._keys)
                self._copies[flow] = _Copy(key, flow.upstream)
                yield _Parcel(live, False, *_flow(key, port, flow))

        for live, _, port, greeting, until in self._greetings(routes) if last else ():
            key = next(self._keys)
            self._copies[greeting] = _Copy(key, None)
            known = [port, greeting.address, until]
            yield _Parcel(live, False, [key, 1, "greeting", known], [greeting.client])

    def _state(self, busy: _Routes) -> bytes:
        plain, odd, left = list[Any](), list[Any](), list[int]()
        waiting: list[tuple[float, int, list[Any]]] = []
        unsent: list[bytes] = []
        self._final = []
        for _, _, _, session in self._sessions(busy):
            key = self._copies[session].key
            if session.standing is Standing.LEAVING:
                left.append(key)
            client, upstream = session.client, session.upstream
            if upstream is None:
                # First of all: else the end of another session would free a place for it.
                self._final.insert(0, session.taken)
                known = [key, *_waiting(session)]
                # The session that is held longest is let in first.
                waiting.append((known[2] or 0.0, session.number, known))
                continue
            self._final.append(session.taken)
            if _is_plain(session, client, upstream):
                plain.append([key, client.received, upstream.received])
            elif (packed := pack(session, Event.CUT)) is not None:
                passed, _, data = packed
                reason = session.reason
                unsent.append(data)
                odd.append([key, reason and reason.value, session.detail, *_plain(passed)])
        self._numbers |= {
            one.live.serial: one.live.number for one, has_left in busy if not has_left
        }
        greeting_ones = list(self._greetings(busy))
        for _, greetings, _, greeting, _ in greeting_ones:
            self._final.append(partial(greetings.taken, greeting))
        text = {
            "version": VERSION,
            "numbers": [[serial, number] for serial, number in self._numbers.items() if number],
            "plain": plain,
            "odd": odd,
            "waiting": [known for _, _, known in sorted(waiting)],
            "greetings": [self._copies[one[3]].key for one in greeting_ones],
            "flows": list(self._flow_states(busy, unsent)),
            "leaving": list(self._leaving(busy)),
            "left": left,
            "limits": [[live.serial, live.counters.limits.told()] for live in self._limited],
        }
        return b"\n".join((json.dumps(text).encode(), b"".join(unsent)))

    def _flow_states(self, busy: _Routes, unsent: list[bytes]) -> Iterator[list[Any]]:
        for live, flows, _, flow in self._flows(busy):
            self._final.append(partial(flows.taken, flow))
            datagrams = tuple(flow.held or ())
            unsent.extend(datagrams)
            queue = live.hold_queue
            yield [
                *(self._copies[flow].key, flow.used, flow.refused, flow.answered),
                *(flow.to_upstream, flow.to_client, flow.dropped, list(map(len, datagrams))),
                queue.since(flow) if flow in queue else None,
            ]

    def _leaving(self, busy: _Routes) -> Iterator[list[Any]]:
        for route, _ in busy:
            for why, began, sessions in route.departures.under_way:
                policy = format_existing(why.existing)
                keys = [self._copies[one].key for one in sessions if one.is_passable]
                yield [route.live.serial, why.reason.value, policy, began, keys]


_OPEN, _WAITING, _OTHER = "open", "waiting", "other"


def _kind(session: Session) -> str:
    """Return the kind of `session`: while it is "open" or "waiting", its sockets stay the same."""
    if session.upstream is None:
        return _WAITING if session.state in _LOOKING else _OTHER
    whole = not session.client.closed and not session.upstream.closed
    return _OPEN if whole else _OTHER


def _is_plain(session: Session, client: Side, upstream: Side) -> bool:
    return (
        session.state is State.OPEN
        and client.unsent is None
        and upstream.unsent is None
        and not (client.lost or upstream.lost or client.closed or upstream.closed)
    )


def _session(key: int, port: int, session: Session) -> tuple[list[Any], list[socket.SocketType]]:
    client = session.address
    known = [port, session.number, client, session.started]
    if session.upstream is not None and session.candidate is not None:
        socks = [one.sock for one in (session.client, session.upstream) if not one.closed]
        where = _candidate(session.candidate)
        closed = [session.client.closed, session.upstream.closed]
        return [key, len(socks), "open", [*known, session.connected, where, closed]], socks
    socks = [session.client.sock]
    aim = None
    if session.dial is not None:
        aim = _candidate(session.dial.candidate)
        socks.append(session.dial.sock)
    header = session.header and written(session.header)
    return [key, len(socks), "waiting", [*known, aim, header, session.waits]], socks


def _flow(key: int, port: int, flow: UdpFlow) -> tuple[list[Any], list[socket.SocketType]]:
    socks = [] if flow.upstream is None else [flow.upstream]
    ancillary = [[level, kind, data.hex()] for level, kind, data in flow.ancillary]
    where = _candidate(flow.candidate) if flow.candidate else None
    number = int(flow.id.rpartition(".")[2])
    origin = [[level, kind, data.hex()] for level, kind, data in flow.key[1]]  # type: ignore[index]
    known = [port, number, flow.client, ancillary, origin, flow.began, where, flow.told]
    return [key, len(socks), "flow", known], socks


def _waiting(session: Session) -> list[Any]:
    live = session.live
    queues = (live.hold_queue, live.counters.queue)
    held = next((queue.since(session) for queue in queues if session in queue), None)
    return [session.since, held, session.failure[:_LONGEST]]


def _plain(passed: Any) -> list[Any]:
    version, state, event, client, upstream = passed
    return [version, state.name, event.name, list(client), list(upstream)]


def _candidate(candidate: Candidate) -> list[Any]:
    where = candidate.address, candidate.port, candidate.written
    return [format_endpoint(candidate.endpoint), *where]


def _told(live: LiveRoute, has_left: bool) -> list[Any]:
    route = live.route
    where = route.proto.value, format_address(route.listen)
    return [*where, route.name, format_existing(route.existing), has_left]


def _may_be_busy(route: RelayRoute) -> bool:
    """Tell whether a route has sessions, flows or departures, or may have: datagrams still come."""
    if route.departures.under_way:
        return True
    return any(
        not isinstance(one, StreamListener) or one.sessions or one.greetings
        for one in route.listeners
    )


def _piece(
    routes: dict[int, list[Any]], fields: list[list[Any]], socks: Sequence[socket.SocketType]
) -> Piece:
    text = json.dumps({"version": VERSION, "routes": routes, "parcels": fields})
    return Piece(text.encode(), tuple(socks))
