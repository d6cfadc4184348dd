"""Types of functions that are called when something has happened, or that return what is needed;
see `ports`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from ambassador.core.reports import AddressProbed, SessionRecord
from ambassador.model import Address, Endpoint, Health, Route, RouteKey

if TYPE_CHECKING:
    from ambassador.core.follow.lead import Lead

__all__ = [
    "ClientArrived",
    "EndpointJudged",
    "EndpointNoticed",
    "LeadReported",
    "LoggingIn",
    "MetricsPage",
    "SessionEnded",
    "SessionsSummed",
    "unheard",
]


# Called for each session that has ended, on the loop's thread; must not block or raise.
SessionEnded = Callable[[SessionRecord], None]

# Called for short relay sessions of a route, where no part needs each of them: with the seconds
# that connecting took, of those that connected, and with the whole durations of all.
SessionsSummed = Callable[[str, Sequence[float], Sequence[float]], None]


# Called when an address of an endpoint of a route cannot be reached, or can again: with the name of
# the route, the endpoint, the address (empty: all of it), and whether it is reachable.
EndpointNoticed = Callable[[str, Endpoint, str, bool], None]

# Called for each client that has reached the relay: with the name of the route, the port, and the
# client as accept(2) or recvmsg(2) names it. Must not block or raise.
ClientArrived = Callable[[str, int, object], None]

# Called with what probes conclude of an endpoint of a route, by its address, with the reason, and
# what they have found at each address of its name.
EndpointJudged = Callable[
    [RouteKey, Address, Health, str, Sequence[AddressProbed]], Coroutine[Any, Any, None]
]

# Called with the lead of a route's follower; returns when that is in force. Raises PlaneError.
LeadReported = Callable[[RouteKey, "Lead"], Coroutine[Any, Any, None]]

# Gives, for as long as an endpoint of a route is probed, a function that returns why it does not
# work, by each address of its name, or by an empty text where none is known; an empty reason means
# that it works. The connections on which it logs in are kept open.
LoggingIn = Callable[
    [Route, Endpoint], AbstractAsyncContextManager[Callable[[], Awaitable[Mapping[str, str]]]]
]

# Returns the page of /metrics, in pieces.
MetricsPage = Callable[[], Awaitable[Sequence[bytes]]]


def unheard(_record: SessionRecord) -> None:
    """Do nothing at the end of a session."""
