"""The listening sockets of routes: inherited, or bound here; all ports of a route or none."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence

from ambassador import log
from ambassador.errors import PlaneError
from ambassador.model import Address, Proto, Route, RouteKey
from ambassador.planes.relay.route import addresses
from ambassador.sockets.bind import bind, close_listener, somaxconn
from ambassador.sockets.inherited import Inherited
from ambassador.spec.address import length
from ambassador.tasks import Slice

__all__ = ["Binding"]

# Seconds between attempts to get an address that is in use. A program that we start (nft) has a
# copy of every socket from fork(2) to execve(2): a listener that we close in that moment still
# listens for a few ms.
_AGAIN = (0.001, 0.003, 0.01, 0.03)


class Binding:
    """Takes sockets from `inherited` where it has them, and binds the others; `backlog` is the
    argument of listen(2), and the log says where the kernel grants less.
    """

    def __init__(self, inherited: Inherited, backlog: int) -> None:
        self._inherited = inherited
        self._backlog = backlog
        self._wanted = 1  # sockets that are bound together
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
        self, routes: Sequence[Route], piece: Slice, *, once: bool = False
    ) -> tuple[dict[RouteKey, list[socket.socket]], list[str]]:
        """Bind every port of `routes`; return the sockets of each route whose ports could all be
        bound, and why the others could not. An address in use is tried again for a moment, unless
        `once`.
        """
        sockets: dict[RouteKey, list[socket.socket]] = {}
        failures = []
        self._wanted = sum(length(route.listen) for route in routes)
        for route in routes:
            bound = []
            try:
                for address in addresses(route):
                    bound.append(  # noqa: PERF401 (undo)
                        self._inherited.take(route.proto, address)
                        or await self._bind(route.proto, address, () if once else _AGAIN)
                    )
            except PlaneError as error:
                for sock in bound:
                    close_listener(sock)
                failures.append(f"{route.name}: {error}")
            else:
                sockets[route.key] = bound
            await piece.end()
        return sockets, failures

    async def _bind(self, proto: Proto, address: Address, pauses: Sequence[float]) -> socket.socket:
        for pause in pauses:
            try:
                return bind(proto, address, self._backlog, self._wanted)
            except PlaneError as error:
                cause = error.__cause__
                if not isinstance(cause, OSError) or cause.errno != errno.EADDRINUSE:
                    raise
            await asyncio.sleep(pause)
        return bind(proto, address, self._backlog, self._wanted)
