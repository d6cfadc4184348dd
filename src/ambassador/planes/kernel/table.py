"""Our table in this network namespace: its lock, and the transactions that change it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import socket
from collections.abc import Collection, Iterable, Mapping

from ambassador import log
from ambassador.errors import PlaneError, UnsureError
from ambassador.planes.kernel import ruleset, stops
from ambassador.planes.kernel.layout import (
    CHAINS,
    LAYOUT,
    TABLE,
    mended,
    skeleton,
    strict,
)
from ambassador.planes.kernel.nft import ABSENT, Counter, Found, Nft
from ambassador.planes.kernel.owner import Owner
from ambassador.planes.kernel.questions import LOCK
from ambassador.planes.kernel.ruleset import Key, Port, Way
from ambassador.planes.kernel.tracking import takes_up
from ambassador.planes.kernel.transaction import Change
from ambassador.planes.kernel.watch import RulesetWatch

__all__ = ["Table", "foreign", "inherit", "retire"]

_LEAST, _MOST = 0.5, 2.0  # seconds that one run of nft may take while we stop


class Table:
    """The table, from `open` to `close`. Every method raises PlaneError."""

    def __init__(
        self,
        nft: Nft,
        lock: socket.socket | None = None,
        *,
        keep_rules: bool = False,
        owner: Owner | None = None,
        watch: RulesetWatch | None = None,
    ) -> None:
        """`lock` is handed over by the predecessor; with `keep_rules` the rules forward clients
        also when this process is gone. `watch` is told which changes are our own.
        """
        self._nft = nft
        self._watch = watch
        self._handed = lock
        self._keep_rules = keep_rules
        self._owner = owner or Owner()
        self._tied = False  # the rules end with this process
        self.gives_way = ""  # why the rules do not forward new clients, whatever ways there are
        self._lock: socket.socket | None = None
        self._first = ""  # what the first transaction does before its own changes
        self._unsure = False  # a transaction failed, and may have been made all the same
        self._stale = False  # there is a table of an earlier ambassador, with its ways
        # Ports that the predecessor counted; if added again, they go on counting.
        self._kept: set[Port] = set()
        self._ways: dict[Key, Way] = {}  # the ways that the table should have
        self._counted: set[Port] = set()

    async def exists(self) -> bool:
        """Tell whether there is a table with our name, of whatever program."""
        return await self._nft.table() is not None

    async def open(self) -> None:
        """Take the lock of this network namespace and look at the table; change nothing."""
        handed = self._handed is not None
        self._lock, self._handed = self._handed or _lock(), None
        try:
            if self._watch is not None:
                self._watch.open()
            await self._look(keep=handed)
            self._tie()
        except PlaneError:
            self.close()
            raise

    def _tie(self) -> None:
        can = self._owner.open(alive=not self._keep_rules)
        self._tied = can and not self._keep_rules
        if not can and not self._keep_rules:
            log.event(
                log.WARNING,
                "rules_not_tied",
                "this kernel is older than 5.12: if this process is killed, its rules go on "
                f"forwarding clients until they are removed (nft delete table {TABLE})",
            )

    def give_way(self, reason: str) -> None:
        """Have the relay serve new clients, within the 5 s of the lease: the ways in the table are
        wrong, and nft cannot change them, for `reason`. Not where the rules outlive this process.
        """
        if self._tied and not self.gives_way:
            with contextlib.suppress(PlaneError):
                self._owner.turn(alive=False)
                self.gives_way = f"{reason}; new sessions go to the relay until that is over"

    def lead(self) -> None:
        """Have the rules forward new clients again: the ways in the table are right."""
        if self.gives_way:
            self._owner.turn(alive=True)
            self.gives_way = ""

    @property
    def lock(self) -> socket.socket | None:
        """The lock that keeps other ambassadors out; None while we do not have it."""
        return self._lock

    @property
    def unsure(self) -> bool:
        """Whether it is not known what the table has, until `make_sure`."""
        return self._unsure

    async def make_sure(self) -> None:
        """Where it is not known what the table has, make it as before the change that failed."""
        if not self._unsure:
            return
        if self._first:
            await self._look(keep=True)
        else:
            await self.restore()
        self._unsure = False

    def hurry(self, grace: float) -> None:
        """From now on, limit the time of each transaction, to stop within `grace` seconds."""
        self._nft.hurry(max(_LEAST, min(_MOST, grace / 4)))

    @property
    def adopted(self) -> bool:
        """Whether an earlier ambassador has left a table, until we change it for the first time."""
        return self._stale

    async def look_again(self) -> None:
        """Look at the table, which another process has had: the next `commit` counts as first."""
        await self._look(keep=True)

    async def _look(self, *, keep: bool) -> None:
        found = await self._nft.table()
        self._first, self._stale = inherit(found, keep=keep), found is not None
        if not takes_up():
            self._first += strict()
        self._kept.clear()
        self._ways.clear()
        self._counted.clear()
        if keep and found is not None and found.comment == LAYOUT:
            self._kept = ruleset.counted(await self._nft.counters())

    async def commit(self, change: Change) -> None:
        """Perform `change`, all of it or nothing."""
        if not change and not self._stale:
            return
        # Ports of the predecessor that are new here begin to count from 0.
        again = () if self._first else self._kept.intersection(change.counted)
        ways = dict(self._ways)
        for key in change.before:
            ways.pop(key, None)
        ways |= change.after
        here, then = self._ways.values(), ways.values()
        first = self._first + ruleset.lease(lasting=not self._tied) if self._first else ""
        async with contextlib.AsyncExitStack() as stack:
            made = frozenset[str]()
            if change.is_large and not self._first:
                from ambassador.planes.kernel.interval_set import made_before  # noqa: PLC0415 (rare)

                sets = await asyncio.to_thread(change.large_sets, here)
                made = await stack.enter_async_context(made_before(sets, self._watch))
            text = await asyncio.to_thread(change.text, here, then, made)
            try:
                await self._run(first + ruleset.uncount(again) + text)
            except PlaneError as error:
                # Something that the change needs is missing: another program has changed the table.
                if self._first or ABSENT not in str(error):
                    raise
                text = await asyncio.to_thread(change.text, here, then)
                await self._run(await self._whole(mended()) + text)
        self._kept.difference_update(change.counted, change.uncounted)
        self._first, self._stale = "", False
        self._ways = ways
        self._counted.update(change.counted)
        self._counted.difference_update(change.uncounted)

    async def lift(self) -> None:
        """Remove the rules that stop open flows. Does nothing before the first `commit`."""
        if not self._first:
            await self._run(stops.lifted())

    async def restore(self) -> None:
        """Make the table as it should be, whatever another program has changed. Does nothing before
        the first `commit`.
        """
        if self._first:
            return
        found = await self._nft.table()
        if found is None or found.comment != LAYOUT:
            inherit(found)  # raises where the table is not of an ambassador
        elif strangers := foreign(found):
            _tell_of(strangers)
        try:
            await self._run(await self._whole(mended()))
        except UnsureError:
            raise
        except PlaneError:  # as where a set is of another type, or the table is dormant
            await self._run(await self._whole(skeleton()))

    async def _whole(self, static: str) -> str:
        """Return the commands that make the table: its `static` part, then all routes."""

        def text() -> str:
            return (
                static
                + ("" if takes_up() else strict())
                + ruleset.emptied((), counters=False)
                + ruleset.lease(lasting=not self._tied)
                + ruleset.count(sorted(self._counted))
                + ruleset.entrances_mended(self._ways.values())
                + ruleset.transaction({}, self._ways)
            )

        return await asyncio.to_thread(text)

    async def _run(self, text: str) -> None:
        try:
            if self._watch is None:
                await self._nft.run(text)
                return
            async with self._watch.ours() as made:
                await self._nft.run(text, made)
        except UnsureError:
            self._unsure = True
            raise

    async def counters(self) -> Mapping[str, Mapping[int, Counter]]:
        """Return packets and bytes by the name of a set and by port; nothing without a table."""
        try:
            return {} if self._first else await self._nft.counters()
        except PlaneError as error:
            if ABSENT not in str(error):
                raise
            return {}

    async def lost(self) -> frozenset[int]:
        """Return the UDP ports whose first datagrams do not leave this host."""
        return frozenset() if self._first else await self._nft.ports("lost_udp")

    async def felt(self, families: Collection[int]) -> set[tuple[str, int, int]]:
        """Return the peers that have got a reset for a connection that was cut: their address and
        port, and our port. `families` are AF_INET and AF_INET6.
        """
        found: set[tuple[str, int, int]] = set()
        for family in families:
            found |= await self._nft.places("felt6" if family == socket.AF_INET6 else "felt4")
        return found

    async def remove(self) -> None:
        """Delete the table, if we have made or adopted it."""
        if self._lock is not None and not self._first:
            await self._run(f"delete table {TABLE}\n")

    def close(self) -> None:
        """Release the lock: another ambassador may take the namespace."""
        for lock in filter(None, (self._lock, self._handed)):
            lock.close()
        self._lock = self._handed = None
        self._owner.close()
        if self._watch is not None:
            self._watch.close()


async def retire(nft: Nft) -> None:
    """Remove the routes from a table that an ambassador left, for an ambassador that only relays:
    open flows go on, new ones reach the relay. Does nothing where there is no such table, or no
    right to change it.
    """
    try:
        found = await nft.table()
        if found is not None and found.comment == LAYOUT:
            text = ruleset.emptied(found.chains, counters=False) + ruleset.lease(lasting=False)
            await nft.run(text)
    except PlaneError:
        return


def inherit(found: Found | None, *, keep: bool = False) -> str:
    """Return the commands that make an empty table of our layout from the table `found`; with
    `keep`, counters go on.

    A table of this layout, left by an ambassador that was killed, is kept: conntrack entries
    refer to its timeout policies. A table of another layout is replaced.
    """
    if found is None:
        return skeleton()
    if found.comment == LAYOUT:
        log.event(log.INFO, "table_adopted", "an earlier ambassador left its table: taken over")
        if strangers := foreign(found):
            _tell_of(strangers)
        return mended() + ruleset.emptied(found.chains, counters=not keep)
    if re.fullmatch(r"ambassador \d+", found.comment):
        log.event(log.INFO, "table_replaced", "another version left its table: replaced")
        return skeleton()
    raise PlaneError(
        f"there is a table {TABLE} that no ambassador has made "
        f"(look at it with: nft list table {TABLE}; remove it with: nft delete table {TABLE})"
    )


def foreign(found: Found) -> list[str]:
    """Return the chains in our table that no ambassador makes."""
    ours = re.compile(r"(let[46]_[0-9a-f]+_)?(one[46]|spread[46]_(tcp|udp)_\d+|udp[46]_\d+)")
    return [name for name in found.chains if name not in CHAINS and not ours.fullmatch(name)]


def _tell_of(strangers: Iterable[str]) -> None:
    names = ", ".join(strangers)
    log.event(
        log.WARNING,
        "foreign_chains",
        f"in our table {TABLE} are chains that no ambassador makes, left as they are: {names}",
        chains=names,
    )


def _lock() -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(LOCK)
    except OSError as error:
        sock.close()
        if error.errno != errno.EADDRINUSE:
            raise PlaneError(f"cannot take the lock of the kernel plane: {error}") from error
        raise PlaneError(
            "another ambassador has the kernel plane of this network namespace "
            "(find it with: ss -xap | grep ambassador/kernel)"
        ) from error
    return sock
