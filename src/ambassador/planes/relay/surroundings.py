"""What all sessions of a relay share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ambassador.planes.relay.descriptors import Descriptors
from ambassador.planes.relay.dial import Patience
from ambassador.planes.relay.keepalive import Keepalives
from ambassador.planes.relay.poller import Poller
from ambassador.ports import Resolver, SessionEnded

__all__ = ["Surroundings"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """One for each relay. `ended` is set each time a session has ended, `closed` is told of it."""

    resolver: Resolver
    descriptors: Descriptors
    poller: Poller
    patience: Patience
    keepalives: Keepalives
    is_own: Callable[[str, int], bool]
    ended: asyncio.Event
    closed: SessionEnded
