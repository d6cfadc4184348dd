"""Vanished flows: their entries in connection tracking were deleted while they were open.

The next segment of a peer then reaches our own TCP, which resets the connection; the other peer, if
it only reads, waits for ever. So the entry is made again at once, and the flow goes on. A segment
may have come before that: so both peers are poked, too (see poke.py). The answer of a peer goes
through the new entry to the other peer, which resets it if the connection is gone there; without an
entry it goes to our own TCP, which resets it, too.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Collection, Sequence
from enum import Enum

from ambassador import log
from ambassador.model import Proto
from ambassador.planes.kernel.conntrack import DELETE, Conntrack
from ambassador.planes.kernel.entry import Flow
from ambassador.planes.kernel.marks import TRACKED_MARK
from ambassador.planes.kernel.messages import messages
from ambassador.planes.kernel.netlink import NetlinkSocket
from ambassador.planes.kernel.poke import Poke, Poker
from ambassador.planes.kernel.revival import Vanished, read
from ambassador.planes.kernel.sieve import vanishing
from ambassador.tasks import Slice, spawn

__all__ = ["VanishedFlows", "Vanishing"]

_GROUP = 3  # NFNLGRP_CONNTRACK_DESTROY
_BUFFER = 32 << 20  # for 30,000 flows that vanish at once
_TOGETHER = 0.01  # seconds: flows that vanish within this time are handled together
_PIECE = 50
_TURN = 64  # events that are read in a turn of the event loop
# When peers are poked, in seconds after each other: their interface may come back later.
_ASKING = (0.1, 1.0, 2.0, 5.0, 10.0, 30.0)


class Vanishing(Enum):
    """What happens to a flow whose entry vanishes: first GONE, then one of the others."""

    GONE = "gone"  # its entry is gone
    AGAIN = "again"  # its entry is made again, with another id
    LEFT = "left"  # its entry could not be made again


class VanishedFlows:
    """Works from `open` to `close`; `ours` tells whether a flow is of one of our routes. `poker` is
    open where there is the right to raw sockets. `told` is called with what happens to each flow,
    `missed` with the number of events that were lost.
    """

    def __init__(
        self,
        conntrack: Conntrack,
        poker: Poker,
        ours: Callable[[Flow], bool],
        told: Callable[[Vanishing, Flow], None] = lambda _what, _flow: None,
        missed: Callable[[int], None] = lambda _number: None,
    ) -> None:
        self._told = told
        self._missed = missed
        self._conntrack = conntrack
        self._poker = poker
        self._ours = ours
        self._socket: NetlinkSocket | None = None
        self._gone: list[Vanished] = []
        self._dropped = 0
        self._work: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Begin; raises PlaneError. Entries that `conntrack` deletes itself do not count."""
        self._socket = NetlinkSocket((_GROUP,), _BUFFER, vanishing(self._conntrack.port))
        self._socket.watch(self._hear_some)

    def close(self) -> None:
        """Stop."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        for task in filter(None, (self._work, *self._asking)):
            task.cancel()

    def _hear_some(self) -> None:
        for _ in range(_TURN):
            if self._socket is None or not self._hear(self._socket):
                break
        if self._gone and (self._work is None or self._work.done()):
            self._work = spawn(self._see_to_all(), "vanished flows")

    def _hear(self, notices: NetlinkSocket) -> bool:
        """Read the next event; return whether there was one."""
        try:
            data = notices.sock.recv(65536)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EINTR, errno.ENOBUFS):
                raise
            return False
        for kind, _, begin, end in messages(data):
            gone = read(data, begin, end) if kind == DELETE else None
            if gone is None:
                continue
            self._told(Vanishing.GONE, gone.flow)
            if self._ours(gone.flow):
                self._gone.append(gone)
            else:
                self._told(Vanishing.LEFT, gone.flow)
        return True

    async def _see_to_all(self) -> None:
        again = ended = 0
        while self._gone:
            gone, self._gone = self._gone, []
            failed = await self._revive(gone)
            again, ended = again + len(gone) - len(failed), ended + len(failed)
            without = {one.flow.id for one in failed}
            tcp = [one.flow for one in gone if one.flow.proto is Proto.TCP]
            if tcp:
                task = spawn(self._ask(tcp, without), "peers of vanished flows")
                self._asking.add(task)
                task.add_done_callback(self._asking.discard)
            await asyncio.sleep(_TOGETHER)
        lost = self._lost()
        if lost:
            self._missed(lost)
        log.event(
            log.WARNING,
            "flows_vanished",
            f"connection tracking forgot {again + ended + lost} open flows (an interface or an "
            f"address went, or a program deleted them): {again} go on"
            + (f", {ended} that were in use just then end" if ended else "")
            + (f", of {lost} nothing is known" if lost else ""),
            again=again,
            ended=ended,
            lost=lost,
        )

    def _lost(self) -> int:
        if self._socket is None:
            return 0
        before, self._dropped = self._dropped, self._socket.drops()
        return (self._dropped - before) % (1 << 32)

    async def _revive(self, gone: Sequence[Vanished]) -> list[Vanished]:
        """Make the entries of `gone` again; return those that could not be made."""
        failed: list[Vanished] = []
        turn = Slice()
        for first in range(0, len(gone), _PIECE):
            piece = gone[first : first + _PIECE]
            not_made = self._conntrack.revive(piece)
            self._tell(piece, not_made)
            failed += not_made
            await turn.end()
        return failed

    def _tell(self, gone: Sequence[Vanished], failed: Sequence[Vanished]) -> None:
        without = {id(one) for one in failed}
        for one in gone:
            self._told(Vanishing.LEFT if id(one) in without else Vanishing.AGAIN, one.flow)

    async def _ask(self, flows: Sequence[Flow], without: Collection[int]) -> None:
        """Poke the peers of `flows`; flows with ids in `without` have no entry."""
        gone = [flow for flow in flows if flow.id in without]
        there = [flow for flow in flows if flow.id not in without]
        for pause in _ASKING:
            await asyncio.sleep(pause)
            await self._poker.poke(gone, Poke.HANDSHAKE)
            await self._poker.poke(there, Poke.HANDSHAKE, TRACKED_MARK)
