"""A route as one line of text, the same in the log, in `check` and in `status`."""

from __future__ import annotations

from collections.abc import Sequence

from ambassador.model import Endpoint, Proto, Route
from ambassador.spec import format_address, format_listening
from ambassador.spec.tls import format_tls

__all__ = ["describe", "describe_endpoint", "describe_listen", "describe_listening", "listed"]

_LISTED = 10  # of a list that may have thousands


def describe(route: Route) -> str:
    """Return `redis  :6379 -> 192.168.1.52:6379`."""
    endpoints = ", ".join(describe_endpoint(endpoint) for endpoint in route.endpoints)
    if not endpoints and route.follows:
        endpoints = "its primary"
    elif not endpoints and route.service:
        endpoints = f"etcd://{route.service}"
    return f"{route.name}  {describe_listening(route)} -> {endpoints}"


def describe_listening(route: Route) -> str:
    """Return where `route` listens, with its listen options: `:6379?proxy=required`."""
    return describe_listen(route) if route.proto is Proto.UDP else format_listening(route)


def describe_listen(route: Route) -> str:
    """Return `:6379`, or `:53/udp`; TCP is left out, as it is the default."""
    text = format_address(route.listen)
    return f"{text}/udp" if route.proto is Proto.UDP else text


def describe_endpoint(endpoint: Endpoint) -> str:
    """Return `db1:5432`, with the options that make it differ from the others: `db2:5432
    (backup)`.
    """
    text = format_address(endpoint.address)
    if endpoint.tls is not None:
        text = f"tls://{text}"
    marks = [f"weight {endpoint.weight}"] if endpoint.weight != 1 else []
    marks += ["backup"] if endpoint.backup else []
    marks += [f"proxy v{endpoint.proxy}"] if endpoint.proxy else []
    marks += [one.replace("=", " ") for one in format_tls(endpoint.tls)]
    return f"{text} ({', '.join(marks)})" if marks else text


def listed(texts: Sequence[str], between: str = ", ") -> str:
    """Return `texts` as one text; of many, the first ten: `f1, f2, ... and 2,990 more`. A text
    about thousands of routes is stored with each of them, so it has to be short.
    """
    text = between.join(texts[:_LISTED])
    more = len(texts) - _LISTED
    return f"{text} and {more:,} more" if more > 0 else text
