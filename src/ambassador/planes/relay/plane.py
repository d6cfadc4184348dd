"""The relay as a plane: performs steps, all or none, and drains."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial

from ambassador import log
from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute, Step
from ambassador.core.session import State
from ambassador.errors import PlaneError
from ambassador.model import Inet, Proto, Reason, Route, RouteKey
from ambassador.planes.relay.binding import Binding
from ambassador.planes.relay.departures import Departures
from ambassador.planes.relay.descriptors import Descriptors
from ambassador.planes.relay.dial import Patience
from ambassador.planes.relay.doors import Doors
from ambassador.planes.relay.keepalive import Keepalives
from ambassador.planes.relay.keeping import Keeping
from ambassador.planes.relay.ledger import Ledger, looks_other
from ambassador.planes.relay.listener import StreamListener
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.offload import Offload
from ambassador.planes.relay.onward import Onward
from ambassador.planes.relay.own import OwnAddresses
from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.route import RelayRoute, StreamOrUdp, addresses, let_go, sessions_of
from ambassador.planes.relay.source_ports import SourcePorts
from ambassador.planes.relay.surroundings import Surroundings
from ambassador.ports import (
    ClientArrived,
    EndpointNoticed,
    Resolver,
    RouteStatus,
    SessionEnded,
    SessionsSummed,
    SessionStatus,
    unheard,
)
from ambassador.sockets.bind import close_listener
from ambassador.sockets.inherited import Inherited
from ambassador.tasks import Slice
from ambassador.tls.keyring import Keyring

__all__ = ["RelayPlane"]

_LATE = 1.0  # seconds that an answer to a datagram may take after a successor has the listener
_AT_LAST = 3.0  # seconds that sessions which are cut may take to end


class RelayPlane(Onward):
    """Carries TCP, UDP and unix sockets in user space.

    `buffer` is how many bytes one direction of a session may hold unsent before its sender is
    no longer read (plus one read: twice as much, or 512 KiB at most); `memory` is how many bytes
    all sessions together may hold, each process its part; `backlog` is the argument of listen(2).
    These are called: `noticed` at each failed attempt to reach an endpoint, and at the first that
    succeeds again; `arrived` at each client; `closed` at the end of each session; `summed`, where
    given, for sessions that were over in a moment in a worker.
    Listeners are taken from `inherited`, where it has them; while that is provisional nothing is
    accepted before `begin`. At most `workers` processes work beside this one while there is much to
    do; `eager`: always. `reserve` descriptors are not for sessions; `keyring` has the keys for TLS.
    """

    name = "relay"

    def __init__(
        self,
        resolver: Resolver,
        *,
        buffer: int,
        backlog: int,
        noticed: EndpointNoticed = lambda *_: None,
        arrived: ClientArrived = lambda *_: None,
        closed: SessionEnded = unheard,
        summed: SessionsSummed | None = None,
        inherited: Inherited | None = None,
        memory: int = 64 << 20,
        workers: int = 0,
        eager: bool = False,
        reserve: int = 16,
        keyring: Keyring | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptors = Descriptors(reserve=reserve)
        self._inherited = inherited or Inherited()
        self._binding = Binding(self._inherited, backlog)
        self._memory = memory
        self._noticed = noticed
        self._arrived = arrived
        self._routes: dict[RouteKey, RelayRoute] = {}
        self._own = own = OwnAddresses(self._routes)
        self._leaving: list[RelayRoute] = []  # removed, with sessions still open
        self.source_ports = SourcePorts()
        self._doors = Doors(resolver, partial(own, Proto.TCP), summed)
        self._around = Surroundings(
            resolver,
            self._descriptors,
            poller := Poller(
                buffer,
                self._broken,
                self._loop.call_soon,
                self._loop.call_later,
                memory=memory // (workers + 1),
            ),
            Patience(keyring := keyring or Keyring()),
            self.source_ports,
            Keepalives(),
            partial(own, Proto.TCP),
            asyncio.Event(),
            closed,
            self._doors,
            keyring,
        )
        if not self._inherited.provisional:
            self._turn_on()
        self.ledger = Ledger(self._with_leaving, self._doors.tally)
        self._doors.touched = self.ledger.touch
        self.offload = Offload(
            *(poller, self._doors, self._descriptors, workers),
            eager=eager,
            ledger=self.ledger,
            keeping=Keeping(poller, self._listeners),
            listeners=self._streams,
        )
        self._around.keepalives.lasting = self.offload.lasting

    async def prepare(self, steps: Sequence[Step]) -> None:
        """Nothing to do: only `apply` shows what fails; see ports.Plane."""

    async def apply(self, steps: Sequence[Step]) -> None:
        """Perform all steps or none; see ports.Plane."""
        removed = [step.route for step in steps if isinstance(step, RemoveRoute)]
        added = [step.route for step in steps if isinstance(step, AddRoute)]
        piece = Slice()
        sockets, failures = await self._binding.bind(added, piece, once=bool(removed))
        if failures and removed:  # a route that is to be removed may have the address
            for route in removed:
                await self._stop(route, piece)
            rest = [route for route in added if route.key not in sockets]
            more, failures = await self._binding.bind(rest, piece)
            sockets.update(more)
        if failures:
            for bound in sockets.values():
                for sock in bound:
                    close_listener(sock)
            await self._reopen(removed, piece)
            raise PlaneError("\n".join(failures))
        for route in removed:
            await self._stop(route, piece)
            removed_one = self._routes.pop(route.key)
            removed_one.departures.removed()
            self._leaving.append(removed_one)
            await piece.end()
        for route in added:
            self._add(route, sockets[route.key])
            await piece.end()
        for step in steps:
            if isinstance(step, ChangeRoute):
                await self._routes[step.new.key].change(step, piece)
                await piece.end()
        self._own.change(self._doors)
        if removed or added or any(looks_other(step) for step in steps):
            self.ledger.routes_changed()
            self.offload.keep()
        await self._doors.settle()
        await let_go(self._leaving, piece)

    @property
    def buffered(self) -> tuple[int, int]:
        """Bytes that sessions hold unsent (in workers, as of the last `measure`), and how many they
        may hold.
        """
        return self.offload.held, self._memory

    async def measure(self, routes: Sequence[Route] | None = None) -> None:
        """Ask the workers for their numbers; see ports.Plane."""
        await self.offload.measure()

    def status(self, routes: Sequence[Route] | None = None) -> Sequence[RouteStatus]:
        """Return one entry for each of `routes`, or for all; see ports.Plane."""
        if routes is None:
            return [relay_route.status() for relay_route in self._routes.values()]
        return [one.status() for one in self._some(routes)]

    async def sessions(self, routes: Sequence[Route] | None = None) -> Sequence[SessionStatus]:
        """Return the open sessions; see ports.Plane."""
        await self.offload.measure()
        now, everything = time.monotonic(), [*self._routes.values(), *self._leaving]
        chosen = everything if routes is None else self._some(routes)
        found, piece = list[SessionStatus](), Slice()
        for relay_route in chosen:
            await piece.end()
            for view in (one for it in relay_route.listeners for one in it.views(now)):
                found.append(view)
                await piece.end()
        return found

    async def cut(self, ids: Collection[str], reason: Reason) -> int:
        """End sessions; see ports.Plane."""
        everything = (*self._routes.values(), *self._leaving)
        cuts, piece = dict[str, Callable[[Reason], None]](), Slice()
        for relay_route in everything:
            await piece.end()
            for name, cut in (one for it in relay_route.listeners for one in it.cuts()):
                if name in ids:
                    cuts[name] = cut
                await piece.end()
        for cut in cuts.values():
            cut(reason)
            await piece.end()
        handed = {
            session
            for relay_route in everything
            for session in relay_route.sessions
            if session.is_handed and session.id in cuts
        }
        if handed:
            await self.offload.settle(handed)
        return len(cuts) - sum(session.state is not State.CLOSED for session in handed)

    async def drain(self, grace: float) -> int:
        """Stop listening, let sessions end for `grace` seconds, cut the rest.

        UDP flows are carried on meanwhile, but not waited for: nothing shows when one has ended.
        """
        piece = Slice()
        for relay_route in self._routes.values():
            for listener in relay_route.listeners:
                await listener.take_backlog(piece)
                listener.stop()
        everything = (*self._routes.values(), *self._leaving)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._until_ended(everything)
        left = sum(one.open for one in everything)
        self._cut(Reason.SHUTDOWN)
        with contextlib.suppress(TimeoutError):  # where a worker stands still
            async with asyncio.timeout(_AT_LAST):
                await self._until_ended(everything)  # the resets are on their way out
        return left

    async def ended(self) -> None:
        """Return when all open sessions have ended, and late answers of UDP have had their time."""
        await self._until_ended((*self._routes.values(), *self._leaving))
        routes = (one.live for one in self._routes.values())
        if any(one.route.proto is Proto.UDP and one.counters.open for one in routes):
            await asyncio.sleep(_LATE)

    def _some(self, routes: Sequence[Route]) -> list[RelayRoute]:
        """Return those of `routes` that the relay has."""
        return [one for route in routes if (one := self._routes.get(route.key)) is not None]

    def _departures(self, live: LiveRoute, listeners: Sequence[StreamOrUdp]) -> Departures:
        shared = partial(self._doors.has_any, listeners), self.measure
        found = Departures(live, self._around.resolver, partial(sessions_of, listeners), shared)
        found.left = self._doors.touched
        return found

    async def _until_ended(self, routes: Sequence[RelayRoute]) -> None:
        while any(relay_route.open for relay_route in routes):
            self._around.ended.clear()
            await self._around.ended.wait()

    def close(self) -> None:
        """Cut everything and release all descriptors."""
        self.disown()
        for relay_route in self._routes.values():
            for listener in relay_route.listeners:
                listener.stop()
        self._cut(Reason.SHUTDOWN)
        self._routes.clear()
        self._leaving.clear()
        self._descriptors.close()
        self.offload.close()
        self._around.patience.close()
        self._around.keepalives.close()
        self._loop.remove_reader(self._around.poller.fileno())
        self._around.poller.close()

    def _broken(self, error: Exception) -> None:
        self._loop.call_exception_handler({"message": "a session failed", "exception": error})

    def _add(self, route: Route, sockets: Sequence[socket.socket]) -> None:
        listeners = list[StreamOrUdp]()
        live = LiveRoute(route, self._noticed, self._arrived, partial(self._look_at, listeners))
        departures = self._departures(live, listeners)
        relay_route = self._routes[route.key] = RelayRoute(live, listeners, departures)
        departures.follow()
        self._open_listeners(relay_route, sockets)

    def _open_listeners(self, relay_route: RelayRoute, sockets: Sequence[socket.socket]) -> None:
        live = relay_route.live
        for address, sock in zip(addresses(live.route), sockets, strict=True):
            port = address.port if isinstance(address, Inet) else 0
            listener: StreamOrUdp
            if live.route.proto is Proto.TCP:
                listener = StreamListener(self._around, live, sock, port)
            else:
                from ambassador.planes.relay.udp import UdpListener  # noqa: PLC0415 (0.2 MB)

                own = partial(self._own, Proto.UDP)
                listener = UdpListener(self._around, live, sock, port, own)
            relay_route.listeners.append(listener)
            if self._inherited.provisional:
                listener.pause()
            else:
                listener.start()

    def _look_at(self, listeners: Sequence[StreamOrUdp]) -> None:
        for listener in listeners:
            if isinstance(listener, StreamListener):
                self._doors.look(listener)

    async def _stop(self, route: Route, piece: Slice) -> None:
        self._routes[route.key].departures.forget()
        for listener in self._routes[route.key].listeners:
            await listener.take_backlog(piece)
            listener.stop()
            if not isinstance(listener, StreamListener):
                # Its flows answer through the socket that must go.
                listener.close(Reason.REMOVED)

    async def _reopen(self, routes: Sequence[Route], piece: Slice) -> None:
        """Undo `_stop`, unless another process has taken the address in the meantime."""
        for route in routes:
            relay_route = self._routes[route.key]
            if all(listener.listening for listener in relay_route.listeners):
                continue
            sockets, failures = await self._binding.bind([route], piece)
            for failure in failures:
                log.event(log.ERROR, "route_lost", failure, route=route.name)
            if not failures:
                relay_route.departures.follow()
                self._open_listeners(relay_route, sockets[route.key])

    def _cut(self, reason: Reason) -> None:
        for relay_route in (*self._routes.values(), *self._leaving):
            relay_route.cut(reason)
