"""From steps of a plan to the routes of the kernel plane: which go, which come, and which others
move to the relay or back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ambassador import log
from ambassador.core.describe import describe
from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute, Step
from ambassador.planes.kernel.life import Event, Stage
from ambassador.planes.kernel.registry import Registry
from ambassador.planes.kernel.route import KernelRoute
from ambassador.tasks import Slice

__all__ = ["Taken", "announce", "take"]


class Taken(NamedTuple):
    """Routes that go; routes that come, new or in their place; and other routes of the same ports,
    which the relay has to carry now, or no longer.
    """

    replaced: list[KernelRoute]
    come: list[KernelRoute]
    bystanders: list[KernelRoute]


async def take(
    steps: Sequence[Step], routes: Registry, judge: Callable[[KernelRoute], str]
) -> Taken:
    """Change `routes` by `steps`; `judge` returns why the relay has to carry a whole route."""
    replaced, come = [], []
    for step in steps:
        match step:
            case AddRoute(route):
                come.append(KernelRoute(route))
            case ChangeRoute(old, new, existing):
                # A new object: if the transaction fails, the old one is put back.
                before = routes.of(old)
                come.append(before.successor(new, existing))
                replaced.append(before)
            case RemoveRoute(route):
                replaced.append(routes.of(route))
    neighbours = routes.neighbours((*replaced, *come))
    routes.swap(replaced, come)
    bystanders = []
    turn = Slice()
    for kernel_route in (*come, *neighbours.difference(replaced)):
        kernel_route.learn_literals()
        refusal = judge(kernel_route)
        if kernel_route in neighbours and refusal != kernel_route.refusal:
            bystanders.append(kernel_route)
        kernel_route.refusal = refusal
        await turn.end()
    return Taken(replaced, come, bystanders)


def announce(kernel_route: KernelRoute) -> None:
    """Log that the kernel has a route now, whose names were not resolved when it was added."""
    if kernel_route.stage is not Stage.ARRIVED:
        return
    kernel_route.happened(Event.TOLD)
    status, line = kernel_route.status(), describe(kernel_route.route)
    end = f" ({status.why})" if status.why else ""
    log.event(
        log.INFO,
        "route_plane",
        f"{line}  plane {status.plane}{end}",
        route=kernel_route.route.name,
        plane=status.plane,
        why=status.why,
    )
