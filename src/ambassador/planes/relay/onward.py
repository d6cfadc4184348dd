"""How a relay gives its listeners and sessions to a successor, or takes those of a predecessor."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ambassador.model import Route, RouteKey
from ambassador.planes.relay.departures import Departures
from ambassador.planes.relay.listener import StreamListener
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.offload import Offload
from ambassador.planes.relay.passing import VERSION
from ambassador.planes.relay.route import RelayRoute, StreamOrUdp
from ambassador.planes.relay.silence import SilenceWatch
from ambassador.planes.relay.surroundings import Surroundings
from ambassador.ports import ClientArrived, EndpointNoticed, Piece
from ambassador.tasks import Slice

if TYPE_CHECKING:  # 3 ms and 0.3 MB that only an upgrade needs
    from ambassador.planes.relay.incoming import Incoming
    from ambassador.planes.relay.outgoing import Outgoing
    from ambassador.planes.relay.reclaim import Claims
    from ambassador.planes.relay.reclaimed import Recovered

__all__ = ["Onward"]

_NOTHING = b'{"version": %d, "routes": {}, "parcels": []}' % VERSION


class Onward:
    """The part of a RelayPlane for this."""

    offload: Offload
    _around: Surroundings
    _loop: asyncio.AbstractEventLoop
    _routes: dict[RouteKey, RelayRoute]
    _leaving: list[RelayRoute]
    _noticed: EndpointNoticed
    _arrived: ClientArrived
    _incoming: Incoming | None = None
    _outgoing: Outgoing | None = None
    # Listeners that still take clients, after `stop_accepting` has paused the others.
    _open: Sequence[StreamOrUdp] | None = None

    @property
    def passing(self) -> int:
        """See ports.Passing."""
        return VERSION

    def take(self, text: bytes, descriptors: Sequence[int]) -> None:
        """Take copies of some sessions of the predecessor; see ports.ListeningPlane."""
        from ambassador.planes.relay.incoming import Incoming  # noqa: PLC0415 (see above)

        if self._incoming is None:
            self._incoming = Incoming(self._around, self._routes, self._retired, self._broken)
        self._incoming.take(text, descriptors)

    def settle(self, state: bytes) -> None:
        """Take the last state of all that was taken; see ports.ListeningPlane."""
        self.take(_NOTHING, ())
        assert self._incoming is not None
        self._incoming.settle(state)

    def disown(self) -> None:
        """Drop all that was taken; see ports.ListeningPlane."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.disown()

    def begin(self) -> None:
        """Carry what was taken from now on; see ports.ListeningPlane."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.begin()
        self._turn_on()

    async def accept(self) -> None:
        """Accept; see ports.ListeningPlane."""
        piece = Slice()
        for listener in self._listeners():
            listener.resume()
            await piece.end()

    def reclaim(self, claims: Claims) -> Recovered:
        """Accept, and take over the workers of a relay that was killed with all their sessions."""
        from ambassador.planes.relay.reclaimed import Reclaimed  # noqa: PLC0415 (see above)

        reclaimed = Reclaimed(claims, self._around, self._routes, self._retired)
        reclaimed.begin(self.offload)
        self.begin()
        for listener in self._listeners():
            listener.resume()
        self._around.doors.reopen()
        recovered = reclaimed.end()
        self.offload.keep()
        return recovered

    def _turn_on(self) -> None:
        poller = self._around.poller
        self._loop.add_reader(poller.fileno(), poller.turn)
        SilenceWatch(poller)

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """The listening sockets."""
        return [one.sock for one in self._listeners() if one.sock.fileno() >= 0]

    async def lend(self) -> Sequence[socket.socket]:
        """Return the sockets a successor needs; see ports.Transferable."""
        return self.sockets

    def pause(self) -> None:
        """Accept nothing for the time being."""
        for listener in self._listeners() if self._open is None else self._open:
            if listener.takes:
                listener.pause()

    async def gather(self) -> None:
        """Take all sessions back from workers; see ports.Passing."""
        await self.offload.suspend()

    async def stop_accepting(self) -> None:
        """Pause the listeners of streams: clients wait in the backlog. Datagrams are still read."""
        piece = Slice()
        listeners = self._listeners()
        for listener in listeners:
            if isinstance(listener, StreamListener):
                listener.pause()
            await piece.end()
        self._open = [one for one in listeners if not isinstance(one, StreamListener)]
        for _ in self._outgoing.look() if self._outgoing is not None else ():
            await piece.end()

    def copies(self) -> Iterator[Piece]:
        """Yield copies of the sessions that were not copied yet; see ports.Passing."""
        from ambassador.planes.relay.outgoing import Outgoing  # noqa: PLC0415 (see above)

        if self._outgoing is None:
            self._outgoing = Outgoing(self._with_leaving)
        self._around.poller.is_lent = True
        return self._outgoing.pieces()

    def freeze(self) -> tuple[Sequence[Piece], bytes]:
        """Accept nothing any longer; return the rest of the copies, and the state of all sessions.
        See ports.Passing.
        """
        assert self._outgoing is not None
        self.pause()
        return self._outgoing.freeze()

    def gone(self) -> int:
        """Let go of all sessions: the successor carries them now; see ports.Passing."""
        outgoing, self._outgoing, self._open = self._outgoing, None, None
        self._around.poller.is_lent = False
        return outgoing.gone() if outgoing is not None else 0

    async def take_back(self) -> None:
        """Accept again, if it was paused."""
        self._outgoing = self._open = None
        self.offload.resume()
        await self.accept()

    def returned(self) -> None:
        """No other process has copies of our sessions any longer; see ports.Passing."""

        if self._outgoing is None:
            self._around.poller.is_lent = False

    def give_up(self) -> None:
        """Leave the listeners to the successor; open sessions go on here."""
        for listener in self._listeners():
            listener.give_up()

    def _with_leaving(self) -> Iterator[tuple[RelayRoute, bool]]:
        yield from ((one, False) for one in self._routes.values())
        yield from ((one, True) for one in self._leaving)

    def _retired(self, route: Route) -> RelayRoute:
        """Return a route that has left already, for sessions of it that are still open."""
        live = LiveRoute(route, self._noticed, self._arrived)
        listener = StreamListener(self._around, live, socket.socket(), 0)
        listener.give_up()
        found = RelayRoute(live, [listener], self._departures(live, [listener]))
        self._leaving.append(found)
        return found

    def _listeners(self) -> list[StreamOrUdp]:
        return [one for relay_route in self._routes.values() for one in relay_route.listeners]

    def _streams(self) -> list[StreamListener]:
        return [one for one in self._listeners() if isinstance(one, StreamListener)]

    def _departures(self, live: LiveRoute, listeners: Sequence[StreamOrUdp]) -> Departures:
        raise NotImplementedError

    def _broken(self, error: Exception) -> None:
        raise NotImplementedError
