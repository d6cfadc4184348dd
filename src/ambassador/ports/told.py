"""What is called when something has happened, or gives what is asked for: types of functions;
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


# Told of each session that has ended, on the loop's thread; must not block or raise.
SessionEnded = Callable[[SessionRecord], None]

# Told of relay sessions of a route that were over in a moment, where nobody needs to hear of each:
# how many seconds those that connected took for it, and all of them in all.
SessionsSummed = Callable[[str, Sequence[float], Sequence[float]], None]


# Told that an address of an endpoint of a route cannot be reached, or can again: the name of the
# route, the endpoint, the address (empty: all of it), and whether it is reachable.
EndpointNoticed = Callable[[str, Endpoint, str, bool], None]

# Told of each client that has reached the relay: the name of the route, the port, and the client as
# accept(2) or recvmsg(2) names it. Must not block or raise.
ClientArrived = Callable[[str, int, object], None]

# Told what probes conclude of an endpoint of a route, by its address, with the reason, and what
# they have found at each address of its name.
EndpointJudged = Callable[
    [RouteKey, Address, Health, str, Sequence[AddressProbed]], Coroutine[Any, Any, None]
]

# Told where the follower of a route leads it; returns when that is in force. Raises PlaneError.
LeadReported = Callable[[RouteKey, "Lead"], Coroutine[Any, Any, None]]

# Gives, for as long as an endpoint of a route is asked, what returns why it does not work, nothing
# where it does: by each address of its name, or by nothing where none is known. It logs in on
# connections that are kept.
LoggingIn = Callable[
    [Route, Endpoint], AbstractAsyncContextManager[Callable[[], Awaitable[Mapping[str, str]]]]
]

# Returns the page of /metrics, in pieces.
MetricsPage = Callable[[], Awaitable[Sequence[bytes]]]


def unheard(_record: SessionRecord) -> None:
    """Hear of the end of a session, and do nothing."""
