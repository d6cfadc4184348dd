"""See to it that the peers of connections that were cut hear of it, and say of which they do not.

The first way is that of poke.py, by which the cut itself tells them. A firewall may drop it:

    what it asks with, or the resets, since they belong to no connection: an entry of conntrack is
        made for each side (cut_entry.py), and the peers are asked once more;
    what belongs to a connection too: a peer in our network namespace has its socket ended
        (local_peers.py); of any other nothing more can be done than to say so.
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

_GATHER = 1.0  # seconds whose cuts are looked at together: each look is a run of nft


class _Try(NamedTuple):
    """What is done after `pause` seconds about the peers that have not been told until then."""

    pause: float
    enter: bool = False
    here: bool = False


# A socket answers one segment in 500 ms (net.ipv4.tcp_invalid_ratelimit), hence the third.
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
    """Conntrack and poker are open already. `felt` tells which peers have been told."""

    def __init__(self, conntrack: Conntrack, poker: Poker, felt: Felt | None) -> None:
        self._conntrack = conntrack
        self._poker = poker
        self._felt = felt
        self._cut: list[Flow] = []  # and nobody has looked whether it was felt
        self._task: asyncio.Task[None] | None = None
        self._entered: set[int] = set()  # ids of flows that have entries of their cut

    def begin(self, flows: Sequence[Flow]) -> None:
        """See to it, in a task of our own, that the peers of `flows`, which have been cut and asked
        just now, are told; log of which are not.
        """
        if self._felt is None:
            return
        self._cut += flows
        if self._task is None or self._task.done():
            self._task = spawn(self._confirm(), "confirmation of cuts")

    async def poke(self, flows: Sequence[Flow], poke: Poke) -> None:
        """Ask the peers of `flows` again."""
        entered = [flow for flow in flows if flow.id in self._entered]
        await self._poker.poke([one for one in flows if one.id not in self._entered], poke, MARK)
        await self._poker.poke(entered, Poke.HANDSHAKE, ENTERED_MARK)

    async def untold(self, flows: Sequence[Flow]) -> Sequence[Flow]:
        """Return the flows among `flows`, which were cut just now, of which a peer has not been
        told after all that can be done. Takes up to 1.5 s; returns as soon as all have been told.
        Raises PlaneError where that cannot be seen.
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
        """Wait until all that can be done is done."""
        if self._task is not None:
            await asyncio.wait({self._task})

    def close(self) -> None:
        """See to nothing any longer."""
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
        """See to all that were cut in a second at once."""
        while self._cut:
            await asyncio.sleep(_GATHER)
            flows, self._cut = self._cut, []
            try:
                left = await self.untold(flows)
            except PlaneError:  # then nothing is known, and nothing said
                continue
            finally:
                self._entered.difference_update(flow.id for flow in flows)
            if left:
                text = untold(left, len(flows))
                log.event(log.WARNING, "cut_not_felt", text, sessions=len(left))


async def _end_here(flows: Sequence[Flow], ended: set[Side]) -> None:
    """End what sockets of this namespace the peers of `flows` have; add them to `ended`."""
    turn = Slice()
    for flow in flows:
        for side in sides(flow):
            if side not in ended and end_here(side):
                ended.add(side)
        await turn.end()


def untold(left: Sequence[Flow], number: int) -> str:
    """Return what to say of the flows `left` of a `number` that were cut."""
    clients = ", ".join(shown(flow.client) for flow in left[:3])
    more = f" and {len(left) - 3} more" if len(left) > 3 else ""
    return (
        f"{len(left)} of {number} sessions are cut, but not both of their sides have been told "
        f"({clients}{more}): a firewall of this host, or on the way, drops what tells them; what "
        "they send within an hour is answered by a reset, if that gets out"
    )
