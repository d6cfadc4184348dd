"""Sessions and flows that were taken from the predecessor, which still carries them."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.flow import UdpFlow
from ambassador.planes.relay.listener import StreamListener
from ambassador.planes.relay.session import Session
from ambassador.planes.relay.side import Side
from ambassador.planes.relay.udp import UdpListener

__all__ = ["Anything", "Taken", "TakenFlow", "TakenGreeting", "drop"]


@dataclass(slots=True, eq=False)
class Taken:
    """A session; `dial` is the connection that is being made for it, if it has no upstream yet."""

    session: Session
    upstream: Side | None = None
    dial: tuple[Candidate, socket.SocketType] | None = None


class TakenFlow(NamedTuple):
    """A UDP flow."""

    flow: UdpFlow
    listener: UdpListener


class TakenGreeting(NamedTuple):
    """A client whose PROXY header has not come yet."""

    listener: StreamListener
    client: socket.SocketType
    address: object
    until: float


Anything: TypeAlias = Taken | TakenFlow | TakenGreeting


def drop(one: Anything) -> None:
    """Close our copies of its sockets, without a sign of it to the peers."""
    if isinstance(one, Taken):
        one.session.taken()
        if one.dial is not None:
            one.dial[1].close()
        return
    if isinstance(one, TakenGreeting):
        one.client.close()
        return
    flow, listener = one
    if flow in listener.flows:
        listener.flows.taken(flow)
    elif flow.upstream is not None:
        flow.upstream.close()
