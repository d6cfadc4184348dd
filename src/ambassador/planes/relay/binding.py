"""The listening sockets of routes: inherited, or bound anew; all ports of a route or none."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from ambassador import log
from ambassador.errors import PlaneError
from ambassador.model import Route, RouteKey
from ambassador.planes.relay.route import addresses
from ambassador.sockets.bind import bind, close_listener, somaxconn
from ambassador.sockets.inherited import Inherited
from ambassador.tasks import Slice

__all__ = ["Binding"]


class Binding:
    """Takes sockets from `inherited` where it has them; `backlog` is asked of listen(2), and
    the log says where the kernel grants less.
    """

    def __init__(self, inherited: Inherited, backlog: int) -> None:
        self._inherited = inherited
        self._backlog = backlog
        granted = somaxconn()
        if granted < backlog:
            log.event(
                log.WARNING,
                "backlog_limited",
                f"net.core.somaxconn is {granted}: more than that many clients at once may have "
                f"to try again; {backlog} are asked for (sysctl net.core.somaxconn={backlog}, "
                f"docker run --sysctl net.core.somaxconn={backlog})",
                somaxconn=granted,
                backlog=backlog,
            )

    async def bind(
        self, routes: Sequence[Route], piece: Slice
    ) -> tuple[dict[RouteKey, list[socket.socket]], list[str]]:
        """Bind every port of `routes`; return the sockets of those that could be bound whole, and
        why the others could not.
        """
        sockets: dict[RouteKey, list[socket.socket]] = {}
        failures = []
        for route in routes:
            bound = []
            try:
                for address in addresses(route):
                    bound.append(  # noqa: PERF401 (undo)
                        self._inherited.take(route.proto, address)
                        or bind(route.proto, address, self._backlog)
                    )
            except PlaneError as error:
                for sock in bound:
                    close_listener(sock)
                failures.append(f"{route.name}: {error}")
            else:
                sockets[route.key] = bound
            await piece.end()
        return sockets, failures
