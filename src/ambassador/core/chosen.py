"""Which endpoints a command means, by a route, an endpoint, or both. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ambassador.core.moving import own_port
from ambassador.core.names import find
from ambassador.core.situation import wrong
from ambassador.errors import NotFoundError, Problem
from ambassador.model import Address, Endpoint, Proto, Route
from ambassador.spec import format_address, meant, parse_endpoint, shown
from ambassador.spec.container import owned

__all__ = ["chosen", "parse_address"]


def chosen(
    routes: Iterable[Route], name: str, endpoint: str
) -> list[tuple[Route, tuple[Endpoint, ...]]]:
    """Return the endpoints that are meant, by route: all endpoints of the route called `name`, or
    the endpoints written as `endpoint`, of that route or of every route.

    Raises ConfigError when neither is given, NotFoundError when nothing matches.
    """
    routes = tuple(routes)
    if not name and not endpoint:
        raise wrong("route", "neither a route nor an endpoint is named")
    among = [find(routes, name)] if name else list(routes)
    if not endpoint:
        return [(among[0], among[0].endpoints)]
    found = []
    addresses = {it: parse_address(endpoint, it) for it in {route.proto for route in among}}
    for route in among:
        address = addresses[route.proto]
        if address is not None:  # a container without a port has the route's
            address = owned(Endpoint(address, route.proto), own_port(route)).address
        fitting = tuple(one for one in route.endpoints if one.address == address)
        if fitting:
            found.append((route, fitting))
    if not found:
        known = {format_address(one.address) for route in among for one in route.endpoints}
        text = endpoint.rpartition("://")[2]
        of = f" of {among[0].name}" if name else ""
        raise NotFoundError(
            Problem(
                "endpoint",
                f'there is no endpoint "{shown(endpoint)}"{of}{meant(text, known)}',
                expected=f"one of {', '.join(sorted(known))}" if known else "",
            )
        )
    return found


def parse_address(text: str, proto: Proto) -> Address | None:
    """Return the address of an endpoint, written as a URL or without its scheme; None when the URL
    is of another protocol. Raises ConfigError.
    """
    if "://" not in text:
        url = f"unix://{text}" if text.startswith("/") else f"{proto}://{text}"
        return parse_endpoint(url, "endpoint").address
    endpoint = parse_endpoint(text, "endpoint")
    return endpoint.address if endpoint.proto is proto else None
