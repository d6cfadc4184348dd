"""One route as the relay has it: its live side, its listeners, and departures of its sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ambassador.core.plan import ChangeRoute
from ambassador.model import Address, Inet, Proto, Reason, Route, Unix
from ambassador.planes.relay.departures import Departures
from ambassador.planes.relay.listener import StreamListener
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.session import Session
from ambassador.ports import RouteStatus
from ambassador.tasks import Slice

if TYPE_CHECKING:  # 0.2 MB that only a route of datagrams needs
    from ambassador.planes.relay.udp import UdpListener

__all__ = ["RelayRoute", "StreamOrUdp", "addresses", "let_go", "sessions_of"]

StreamOrUdp: TypeAlias = "StreamListener | UdpListener"


@dataclass(slots=True)
class RelayRoute:
    """A route that is carried, or that was removed and still has open sessions."""

    live: LiveRoute
    listeners: list[StreamOrUdp]
    departures: Departures

    @property
    def sessions(self) -> list[Session]:
        """The open sessions, from all listeners."""
        return sessions_of(self.listeners)

    @property
    def open(self) -> int:
        """How many sessions and accepted clients have an end to wait for; 0 for UDP."""
        if self.live.route.proto is not Proto.TCP:
            return 0
        streams = [one for one in self.listeners if isinstance(one, StreamListener)]
        greetings = [who for one in streams for who in (one.greetings, one.handshakes)]
        return self.live.counters.open + sum(len(one) for one in greetings if one is not None)

    async def change(self, step: ChangeRoute, piece: Slice) -> None:
        """Change the route by `step`: listeners and sessions stay, new sessions see the change."""
        self.live.change(step.new)
        self.departures.follow()
        self.departures.replaced(step.old, step.existing)
        if step.new.hold is not None and step.old.hold is None:
            for session in self.sessions:
                session.reconnect()  # sessions without an upstream wait from now on, too
                await piece.end()
        for listener in self.listeners:
            listener.retune()
        self.live.counters.queue.look_at_all(lambda: self.live.route)
        if step.new.hold != step.old.hold:
            self.live.hold_queue.change(step.new.hold)

    def cut(self, reason: Reason) -> None:
        """End all sessions now, for `reason`."""
        self.departures.close()
        for listener in self.listeners:
            if isinstance(listener, StreamListener):
                listener.cut(reason)
            else:
                listener.close(reason)

    def status(self) -> RouteStatus:
        """Return the status of the route as the API shows it."""
        counters, sessions = self.live.counters, self.sessions
        return RouteStatus(
            route=self.live.route,
            plane="relay",
            why="",
            opened=counters.opened,
            open=counters.open,
            refused=counters.refused,
            to_upstream=counters.to_upstream + sum(session.to_upstream for session in sessions),
            to_client=counters.to_client + sum(session.to_client for session in sessions),
            held=len(self.live.hold_queue) + len(counters.queue),
            held_total=self.live.hold_queue.entered,
            closed=dict(counters.closed),
            turned_away=dict(counters.turned_away.by),
            alike="" if self.live.route.proxy else counters.alike.words(),
            open_by_endpoint=self.live.open_by_endpoint,
            met=self.live.met(self._carried(sessions)),
        )

    def lasting(self) -> RouteStatus:
        """Return what was counted, without what is open now."""
        counters = self.live.counters
        return RouteStatus(
            route=self.live.route,
            plane="relay",
            why="",
            opened=counters.opened,
            open=0,
            refused=counters.refused,
            to_upstream=counters.to_upstream,
            to_client=counters.to_client,
            held_total=self.live.hold_queue.entered,
            closed=dict(counters.closed),
            turned_away=dict(counters.turned_away.by),
            met=self.live.met({}),
        )

    def _carried(self, sessions: Sequence[Session]) -> dict[Address, tuple[int, int]]:
        """Return the bytes of open sessions by endpoint."""
        found: dict[Address, tuple[int, int]] = {}
        parts = [(one.counted_in, one.to_upstream, one.to_client) for one in sessions]
        parts += [
            (flow.counted, *flow.carried)
            for listener in self.listeners
            if not isinstance(listener, StreamListener)
            for flow in listener.flows
        ]
        for known, up, down in parts:
            if known is not None:
                sofar = found.get(known.address, (0, 0))
                found[known.address] = sofar[0] + up, sofar[1] + down
        return found

    def listens(self, address: str, port: int) -> bool:
        """Tell whether a connection to `address` (an IP literal or a path) comes to this route."""
        listen = self.live.route.listen
        if isinstance(listen, Unix):
            return listen.path == address
        everywhere = ("", "::", "0.0.0.0")
        loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # where a connection to these leads
        own = (*everywhere, loopback.get(address, address))
        return port in listen.ports and listen.host in own


def addresses(route: Route) -> list[Address]:
    """Return every address `route` listens at, a port each."""
    if isinstance(route.listen, Unix):
        return [route.listen]
    return [Inet(route.listen.host, port) for port in route.listen.ports]


def sessions_of(listeners: Sequence[StreamOrUdp]) -> list[Session]:
    """Return the open sessions of all `listeners`."""
    return [
        session
        for listener in listeners
        if isinstance(listener, StreamListener)
        for session in listener.sessions
    ]


async def let_go(leaving: list[RelayRoute], piece: Slice) -> None:
    """Forget the routes in `leaving` that have no session any longer; one by one, since to free
    3,000 routes takes 20 ms.
    """
    place = 0
    while place < len(leaving):
        if leaving[place].open:
            place += 1
        else:
            leaving.pop(place).departures.close()
        await piece.end()
