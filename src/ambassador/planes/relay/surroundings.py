"""What all sessions of a relay share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from ambassador.planes.relay.descriptors import Descriptors
from ambassador.planes.relay.dial import Patience
from ambassador.planes.relay.doors import Doors
from ambassador.planes.relay.keepalive import Keepalives
from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.source_ports import SourcePorts
from ambassador.ports import Resolver, SessionEnded
from ambassador.tls.keyring import Keyring

__all__ = ["Surroundings"]

_LARGEST = 65536  # a UDP length field counts to 65,535 (RFC 768)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all sessions of a relay share. `ended` is set, and `closed` called, each time a session
    has ended. `datagram` has room for the largest datagram, and is used for one at a time.
    """

    resolver: Resolver
    descriptors: Descriptors
    poller: Poller
    patience: Patience
    ports: SourcePorts
    keepalives: Keepalives
    is_own: Callable[[str, int], bool]
    ended: asyncio.Event
    closed: SessionEnded
    doors: Doors
    keyring: Keyring = field(default_factory=Keyring)
    datagram: memoryview = field(default_factory=lambda: memoryview(bytearray(_LARGEST)))
