"""Orphans: open flows of an earlier ambassador whose table we take over. They become ours, and
follow the policy of the route that listens on their port now. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from ambassador.model import Endpoint, Inet, Route
from ambassador.planes.kernel.entry import Address, Flow, FlowState
from ambassador.planes.kernel.ruleset import Port

__all__ = ["Orphans"]


class Orphans:
    """The upstreams of such flows, by port, until a route takes them."""

    def __init__(self, flows: Iterable[Flow] = ()) -> None:
        self._found: dict[Port, set[Address]] = defaultdict(set)
        for flow in flows:
            if flow.state is not FlowState.OVER:
                self._found[flow.proto, flow.listen[1]].add(flow.upstream)

    def __bool__(self) -> bool:
        return bool(self._found)

    def take(self, ports: Iterable[Port]) -> set[Address]:
        """Return the upstreams of flows of `ports`, and forget them."""
        return {address for port in ports for address in self._found.pop(port, ())}

    def strays(self) -> Iterator[tuple[Route, set[Address]]]:
        """Yield a route for each port on which no route listens now, and the upstreams of its
        flows. The name is made up, as the old one is not known.
        """
        for (proto, port), upstreams in sorted(self._found.items()):
            endpoints = tuple(Endpoint(Inet(*upstream), proto) for upstream in sorted(upstreams))
            yield Route(f"earlier-{port}", Inet("", port), endpoints, proto), upstreams
        self._found.clear()
