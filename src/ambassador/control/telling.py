"""What a change has done to each route, written to the log and kept for `status`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from ambassador import log
from ambassador.core.describe import describe
from ambassador.core.known import Changed
from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute, Step
from ambassador.core.ranges import in_ranges
from ambassador.model import Admin, Health, Inet, Route, RouteKey
from ambassador.ports import RouteStatus
from ambassador.tasks import Slice

__all__ = ["Teller", "route_of"]

_TOLD = 20  # routes whose status is asked for at once


class Teller:
    """Logs what steps have done; `changed` has the last change of each route."""

    def __init__(self) -> None:
        self.changed: dict[RouteKey, Changed] = {}
        self._told: dict[RouteKey, tuple[str, str, str]] = {}  # the last line of each route

    async def tell(
        self,
        steps: Sequence[Step],
        status: Callable[[Sequence[Route]], Sequence[RouteStatus]],
        who: str,
        what: str,
    ) -> None:
        """Log what `steps` have done, for the reason `what` and on behalf of `who`; `status`
        returns which plane each of some routes has, and why.
        """
        piece = Slice()
        lines: list[tuple[int, str]] = []  # for people, joined where there are many
        for first in range(0, len(steps), _TOLD):
            told = steps[first : first + _TOLD]
            there = [route_of(step) for step in told if not isinstance(step, RemoveRoute)]
            statuses = {one.route.key: one for one in status(there)}
            for step in told:
                await piece.end()
                route = route_of(step)
                key, line = route.key, describe(route)
                text = self._say(step, line, statuses.get(key), many=len(steps) > 1)
                if text:
                    port = route.listen.port if isinstance(route.listen, Inet) else 0
                    lines.append((port, text))
                if isinstance(step, RemoveRoute):
                    self.changed.pop(key, None)
                else:
                    self.changed[key] = Changed(time.time(), who, what or line)
        # In a thread: thousands of routes take long, and sessions must not wait.
        few = len(lines) <= _TOLD
        if lines and log.summarised():
            for text in in_ranges(lines) if few else await asyncio.to_thread(in_ranges, lines):
                await piece.end()
                log.summary(log.INFO, text)

    def _is_told(self, step: Step, line: str, plane: str, why: str) -> bool:
        """Return whether the line of a route is the same as before, where only the operator or the
        probes have changed something: such changes have lines of their own.
        """
        key, now = route_of(step).key, (line, plane, why)
        before, self._told[key] = self._told.get(key), now
        if isinstance(step, RemoveRoute):
            del self._told[key]
        return (
            isinstance(step, ChangeRoute)
            and before == now
            and _as_said(step.old) == _as_said(step.new)
        )

    def _say(self, step: Step, line: str, status: RouteStatus | None, *, many: bool) -> str:
        """Log what a step has done; with `many`, return the sentence for people instead."""
        route = route_of(step)
        _tell_panic(step)
        plane, why = (status.plane, status.why) if status else ("", "")
        end = f"plane {plane} ({why})" if why else f"plane {plane}"
        if self._is_told(step, line, plane, why):
            return ""
        match step:
            case AddRoute():
                name = "route_started"
            case ChangeRoute():
                name = "route_changed"
            case RemoveRoute():
                name, end = "route_removed", "removed"
        tell, text = log.one_of_many if many else log.event, f"{line}  {end}"
        tell(
            log.INFO,
            name,
            text,
            route=route.name,
            line=line,
            plane=plane,
            why=why,
            origin=route.origin,
        )
        return text if many else ""


def _tell_panic(step: Step) -> None:
    """Log that a route begins to use endpoints whose probes all fail, or that it stops using
    them.
    """
    route = route_of(step)
    before = isinstance(step, ChangeRoute) and any(one.spared for one in step.old.endpoints)
    now = not isinstance(step, RemoveRoute) and any(one.spared for one in route.endpoints)
    if now and not before:
        text = f"{route.name}  all endpoints fail their probes, and get clients all the same: panic"
        log.event(log.ERROR, "panic", text, route=route.name)
    elif before and not now:
        text = f"{route.name}  goes to endpoints that answer their probes again"
        log.event(log.WARNING, "panic_over", text, route=route.name)


def _as_said(route: Route) -> Route:
    """Return `route` without what comes from the operator and the probes."""
    endpoints = tuple(
        replace(endpoint, admin=Admin.READY, health=Health.UNKNOWN, spared=False)
        for endpoint in route.endpoints
    )
    return replace(route, endpoints=() if route.led else endpoints, hold=None)


def route_of(step: Step) -> Route:
    """Return the route `step` is about."""
    return step.new if isinstance(step, ChangeRoute) else step.route
