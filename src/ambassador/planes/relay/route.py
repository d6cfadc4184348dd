"""One route as the relay has it: its live side, its listeners, and what becomes of its sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ambassador.model import Address, Inet, Proto, Route, Unix
from ambassador.planes.relay.departures import Departures
from ambassador.planes.relay.listener import StreamListener
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.session import Session
from ambassador.planes.relay.udp import UdpListener

__all__ = ["RelayRoute", "StreamOrUdp", "addresses", "sessions_of"]

StreamOrUdp: TypeAlias = StreamListener | UdpListener


@dataclass(slots=True)
class RelayRoute:
    """A route that is carried, or was and has open sessions still."""

    live: LiveRoute
    listeners: list[StreamOrUdp]
    departures: Departures

    @property
    def sessions(self) -> list[Session]:
        """The open sessions, from all listeners."""
        return sessions_of(self.listeners)

    @property
    def open(self) -> int:
        """How many sessions there are that can be waited for."""
        return self.live.counters.open if self.live.route.proto is Proto.TCP else 0

    def listens(self, address: str, port: int) -> bool:
        """Tell whether a connection to `address` (an IP literal or a path) comes to this route."""
        listen = self.live.route.listen
        if isinstance(listen, Unix):
            return listen.path == address
        everywhere = ("", "::", "0.0.0.0")
        loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # where a connection to them leads
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
