"""Check that both peers of each connection that was cut got a reset, and log those that did not.

A cut pokes both peers (poke.py): they answer, and our TCP answers that with a reset. A firewall may
drop such packets:

    if it drops them since they belong to no connection: an entry of conntrack is made for each side
        (cut_entry.py), and the peers are poked once more;
    if it drops also packets of open connections: where a peer is in our network namespace, its
        socket is destroyed (local_peers.py); for other peers nothing more can be done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import NamedTuple

from ambassador import log
from ambassador.errors import PlaneError
from ambassador.planes.kernel.conntrack import Conntrack
from ambassador.planes.kernel.cut_entry import Side, sides
from ambassador.planes.kernel.entry import Flow, shown
from ambassador.planes.kernel.local_peers import end_here
from ambassador.planes.kernel.marks import ENTERED_MARK, MARK
from ambassador.planes.kernel.poke import Poke, Poker
from ambassador.tasks import Slice, spawn

__all__ = ["Confirming", "Felt", "untold"]

# See Table.felt.
Felt = Callable[[Collection[int]], Awaitable[set[tuple[str, int, int]]]]

_GATHER = 1.0  # seconds: cuts within this time are checked together, as each check runs nft


class _Try(NamedTuple):
    """What is done, after `pause` seconds, for peers that have got no reset until then: `enter`:
    make entries and poke again; `here`: destroy sockets of peers in our network namespace.
    """

    pause: float
    enter: bool = False
    here: bool = False


# A socket answers one such segment in 500 ms (net.ipv4.tcp_invalid_ratelimit): so `enter` is
# repeated after longer pauses.
_TRIES = (
    _Try(0.02),
    _Try(0.1, enter=True),
    _Try(0.1, here=True),
    _Try(0.6, enter=True),
    _Try(0.1),
    _Try(0.5, enter=True),
    _Try(0.1),
)


class Confirming:
    """Checks cuts. Conntrack and poker are open already. `felt` returns which peers have got a
    reset; see Table.felt.
    """

    def __init__(self, conntrack: Conntrack, poker: Poker, felt: Felt | None) -> None:
        self._conntrack = conntrack
        self._poker = poker
        self._felt = felt
        self._cut: list[Flow] = []  # flows that were cut and are not checked yet
        self._task: asyncio.Task[None] | None = None
        self._entered: set[int] = set()  # ids of flows that have entries of their cut

    def begin(self, flows: Sequence[Flow]) -> None:
        """Check, in a task, that the peers of `flows` get a reset; log those that get none. The
        flows have been cut, and their peers poked, just now.
        """
        if self._felt is None:
            return
        self._cut += flows
        if self._task is None or self._task.done():
            self._task = spawn(self._confirm(), "confirmation of cuts")

    async def poke(self, flows: Sequence[Flow], poke: Poke) -> None:
        """Poke the peers of `flows` again."""
        entered = [flow for flow in flows if flow.id in self._entered]
        await self._poker.poke([one for one in flows if one.id not in self._entered], poke, MARK)
        await self._poker.poke(entered, Poke.HANDSHAKE, ENTERED_MARK)

    async def untold(self, flows: Sequence[Flow]) -> Sequence[Flow]:
        """Do all that can be done so that the peers of `flows`, which were cut just now, get a
        reset; return the flows of which a peer has got none. Takes up to 1.5 s, less where all have
        got one. Raises PlaneError where this cannot be checked.
        """
        left, ended = flows, set[Side]()
        for one in _TRIES:
            await asyncio.sleep(one.pause)
            left = await self._not_felt(left, ended)
            if not left:
                break
            if one.enter:
                await self._enter(left)
            if one.here:
                await _end_here(left, ended)
        return left

    async def settle(self) -> None:
        """Wait until all cuts are checked."""
        if self._task is not None:
            await asyncio.wait({self._task})

    def close(self) -> None:
        """Check no longer."""
        if self._task is not None:
            self._task.cancel()

    async def _enter(self, flows: Sequence[Flow]) -> None:
        await self._conntrack.enter_cut([one for one in flows if one.id not in self._entered])
        self._entered.update(flow.id for flow in flows)
        await self._poker.poke(flows, Poke.HANDSHAKE, ENTERED_MARK)

    async def _not_felt(self, flows: Sequence[Flow], ended: Collection[Side]) -> Sequence[Flow]:
        if self._felt is None or not flows:
            return ()
        felt = await self._felt({flow.family for flow in flows})
        return [
            flow
            for flow in flows
            if not all((*one.peer, one.ours[1]) in felt or one in ended for one in sides(flow))
        ]

    async def _confirm(self) -> None:
        """Check the cuts of each second together."""
        while self._cut:
            await asyncio.sleep(_GATHER)
            flows, self._cut = self._cut, []
            try:
                left = await self.untold(flows)
            except PlaneError:  # it cannot be checked, and is not logged
                continue
            finally:
                self._entered.difference_update(flow.id for flow in flows)
            if left:
                text = untold(left, len(flows))
                log.event(log.WARNING, "cut_not_felt", text, sessions=len(left))


async def _end_here(flows: Sequence[Flow], ended: set[Side]) -> None:
    """Destroy the sockets of peers of `flows` that are in this namespace; add them to `ended`."""
    turn = Slice()
    for flow in flows:
        for side in sides(flow):
            if side not in ended and end_here(side):
                ended.add(side)
        await turn.end()


def untold(left: Sequence[Flow], number: int) -> str:
    """Return the text for the log: of a `number` of flows that were cut, these are `left`."""
    clients = ", ".join(shown(flow.client) for flow in left[:3])
    more = f" and {len(left) - 3} more" if len(left) > 3 else ""
    return (
        f"{len(left)} of {number} sessions are cut, but not both of their sides have got a reset "
        f"({clients}{more}): a firewall, here or on the way, drops packets of the cut; what "
        "they send within an hour is answered by a reset, if a firewall lets that through"
    )
