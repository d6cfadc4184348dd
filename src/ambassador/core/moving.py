"""How a route is led to other endpoints, in two steps. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ambassador.core import commands
from ambassador.core.describe import describe_endpoint
from ambassador.core.names import find
from ambassador.core.situation import Situation, positive, wanting, wrong
from ambassador.core.wish import Wish, held_by_operator
from ambassador.errors import ConfigError, ConflictError, Problem
from ambassador.model import (
    Address,
    Admin,
    Endpoint,
    Existing,
    Health,
    Hold,
    Inet,
    Proto,
    Route,
    RouteKey,
)
from ambassador.spec import format_endpoint, parse_endpoint, parse_existing, shown
from ambassador.spec.address import length
from ambassador.spec.container import owned
from ambassador.spec.endpoint import repeated
from ambassador.spec.moments import format_moment

__all__ = ["MOST_ENDPOINTS", "MovePlan", "check_policy", "move", "plain"]

# A move makes all of them known at once, and each name needs a question to DNS.
MOST_ENDPOINTS = 256


@dataclass(frozen=True, slots=True)
class MovePlan:
    """A move in two steps. `between`: new sessions go to the new endpoints (or wait) while the old
    endpoints keep their sessions. `after`: the old endpoints have left, by the policy `existing`.
    `asked` are the endpoints that have to answer.
    """

    route: Route
    endpoints: tuple[Endpoint, ...]
    between: Mapping[RouteKey, Wish]
    after: Mapping[RouteKey, Wish]
    existing: Existing | None
    message: str
    asked: tuple[Endpoint, ...]


def move(now: Situation, command: commands.Move) -> MovePlan:
    """Return how to move. Raises ConfigError and its kinds."""
    route = find(now.routes, command.route)
    positive(command.timeout, "timeout")
    endpoints = _endpoints(route, command.endpoints)
    policy = check_policy(command.existing, route)
    current = plain(route.endpoints)
    if command.from_ and _endpoints(route, command.from_, "from") != current:
        raise _moved_meanwhile(now, route)
    if endpoints == current:
        where = ", ".join(map(describe_endpoint, endpoints))
        raise ConflictError(Problem("endpoints", f"{route.name} leads to {where} already"))
    here = {endpoint.address for endpoint in endpoints}
    left = tuple(endpoint for endpoint in current if endpoint.address not in here)
    line = ", ".join(map(describe_endpoint, endpoints))
    message = f"{route.name} moved to {line}"
    held = held_by_operator(route, now.wishes.get(route.key))
    hold = Hold() if command.hold and held is None else held
    between = wanting(
        now,
        route,
        message,
        endpoints=(*endpoints, *left),
        admin=tuple((endpoint.address, Admin.DRAIN) for endpoint in left),
        hold=hold,
    )
    key = route.key
    source = next((one for one in now.desired.routes if one.key == key), None)
    back = source is not None and source.endpoints == endpoints
    after = wanting(now, route, message, endpoints=None if back else endpoints, admin=())
    return MovePlan(route, endpoints, between, after, policy, message, endpoints)


def check_policy(text: str, route: Route) -> Existing | None:
    """Return the policy of a move of `route`; None where none is given. Raises ConfigError."""
    policy = parse_existing(text, "existing") if text else None
    if policy is not None and route.proto is Proto.UDP:
        raise wrong("existing", "a UDP route has none: a flow moves with its next datagram")
    return policy


def _moved_meanwhile(now: Situation, route: Route) -> ConflictError:
    where = ", ".join(map(describe_endpoint, route.endpoints)) or "no endpoint"
    wish = now.wishes.get(route.key)
    by = f", {wish.what} by {wish.who} at {format_moment(wish.when)}" if wish and wish.what else ""
    what = f"is not where {route.name} leads any longer: it leads to {where} now{by}"
    return ConflictError(Problem("from", what, expected="what `status` shows now"))


def _endpoints(
    route: Route, texts: Sequence[str], where: str = "endpoints"
) -> tuple[Endpoint, ...]:
    texts = [one for text in texts for one in text.split(",")]  # as in a variable
    if len(texts) > MOST_ENDPOINTS:
        what, expected = f"has {len(texts)} endpoints", f"at most {MOST_ENDPOINTS}"
        raise ConfigError(Problem(where, what, expected=expected))
    found: list[Endpoint] = []
    seen: set[Address] = set()
    problems: list[Problem] = []
    for text in texts:
        try:
            # As `status` shows it, without the scheme; a path has its own form.
            whole = text if "://" in text or "/" in text else f"{route.proto.value}://{text}"
            endpoint = parse_endpoint(whole, where, route.proto)
            endpoint = owned(endpoint, own_port(route))
        except ConfigError as error:
            problems += error.problems
            continue
        if twice := repeated(endpoint, seen, where, text):
            problems.append(twice)
        elif length(endpoint.address) != length(route.listen):
            what = f"{route.name} listens on {length(route.listen)} ports, this endpoint has "
            what += f"{length(endpoint.address)}"
            problems.append(Problem(where, what, shown(format_endpoint(endpoint))))
        found.append(endpoint)
    if not texts:
        problems.append(Problem(where, "is empty", expected="at least one endpoint"))
    if problems:
        raise ConfigError(*problems)
    return tuple(found)


def own_port(route: Route) -> Inet:
    """Return the port, or range, of a container of `route` that is written without a port."""
    if isinstance(route.listen, Inet) and (route.listen.last or not route.port):
        return Inet("", route.listen.port, route.listen.last)
    return Inet("", route.port)


def plain(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """Return `endpoints` as the grammar gives them, without admin state and health."""
    return tuple(replace(e, admin=Admin.READY, health=Health.UNKNOWN) for e in endpoints)
