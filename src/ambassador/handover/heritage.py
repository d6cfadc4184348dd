"""All that is counted across processes: what one before has left us, and what we leave."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence

from ambassador import log
from ambassador.errors import RunError
from ambassador.handover.counters import Account, Accounts, LastLook, Legacy, account_of, add
from ambassador.handover.plane import EarlierPlane
from ambassador.handover.predecessor import Predecessor
from ambassador.handover.staying import Stayer
from ambassador.handover.successor import Successor
from ambassador.model import Route
from ambassador.ports import Plane, Resolver
from ambassador.tasks import spawn

__all__ = ["Heritage"]

_ENDED = "ended "


class Heritage:
    """`relay` has sessions that end with this process, `kernel` (if any) rules that do not;
    `ended` is what was counted at the end of sessions of a route, by its name.
    """

    def __init__(
        self,
        resolver: Resolver,
        relay: Plane,
        kernel: Plane | None,
        ended: Callable[[str], Account],
    ) -> None:
        self.former = EarlierPlane(resolver)
        self.last_look = LastLook(kernel)
        self._has_kernel = kernel is not None
        self._relay = relay
        self._ended = ended
        self._stayer: Stayer | None = None
        self._answering: asyncio.Task[None] | None = None

    def take_over(self, taker: Successor) -> None:
        """Go on with what the predecessor has counted."""
        if (connection := taker.connection()) is None:
            return
        try:
            legacy = Legacy.decode(taker.legacy, kernel=self._has_kernel)
        except RunError as error:  # the routes are ours by now: nothing may fail any longer
            log.event(log.WARNING, "former_not_understood", str(error))
            legacy = Legacy()
        self.former.take_over(legacy, connection, taker.others)

    def before(self, routes: Iterable[Route]) -> Mapping[str, Account]:
        """Return what processes before have counted at the end of sessions, by name of route."""
        return {
            route.name: {
                name.removeprefix(_ENDED): value
                for name, value in self.former.account(route).items()
                if name.startswith(_ENDED)
            }
            for route in routes
        }

    async def legacy(self) -> tuple[bytes, Sequence[socket.socket]]:
        """Return what a successor gets; see predecessor.Holder."""
        legacy, others = await self.former.hand_over()
        add(legacy.past, self.last_look.accounts)
        legacy.live = self._accounts()
        return legacy.encode(), others

    async def stay(self, giver: Predecessor) -> None:
        """Answer the one that has taken over, until `leave`."""
        if (successor := await giver.successor()) is not None:
            self._stayer = Stayer(successor, self._relay, self._accounts)
            self._answering = spawn(self._stayer.run(), "questions of the successor")

    async def leave(self) -> None:
        """All sessions have ended: tell the successor what was counted."""
        if self._stayer is not None and self._answering is not None:
            self._answering.cancel()
            await asyncio.wait({self._answering})
            await self._stayer.farewell()

    async def close(self) -> None:
        """Ask nobody any longer."""
        await self.former.close()

    def _accounts(self) -> Accounts:
        """Return what this very process has counted, the rules of the kernel aside."""
        return {
            one.route.key: account_of(one)
            | {f"{_ENDED}{name}": value for name, value in self._ended(one.route.name).items()}
            for one in self._relay.status()
        }
