"""Our table in this network namespace: whose it is, and the transactions that change it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import socket
from collections.abc import Collection, Iterable, Mapping

from ambassador import log
from ambassador.errors import PlaneError, UnsureError
from ambassador.model import Proto
from ambassador.planes.kernel import ruleset, stops
from ambassador.planes.kernel.layout import (
    CHAINS,
    COUNTERS,
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

__all__ = ["Table", "counted", "foreign", "inherit", "retire"]

_LEAST, _MOST = 0.5, 2.0  # seconds that one nft may take while we stop


class Table:
    """The table, from `open` to `close`. Everything raises PlaneError."""

    def __init__(
        self,
        nft: Nft,
        lock: socket.socket | None = None,
        *,
        keep_rules: bool = False,
        owner: Owner | None = None,
        watch: RulesetWatch | None = None,
    ) -> None:
        """`lock` is handed over by the ambassador we take over from; with `keep_rules` clients
        are led on also when this process is gone. `watch` is told which changes are our own.
        """
        self._nft = nft
        self._watch = watch
        self._handed = lock
        self._keep_rules = keep_rules
        self._owner = owner or Owner()
        self._tied = False  # the rules end with this process
        self.gives_way = ""  # why new clients are not led on, whatever stands there
        self._lock: socket.socket | None = None
        self._first = ""  # what the first transaction does beside its own changes
        self._unsure = False  # a transaction was begun, and may have been made
        self._stale = False  # something of ours stands there that must not go on as it is
        # Counted by the one we have taken over from; an element added again goes on counting.
        self._kept: set[Port] = set()
        self._ways: dict[Key, Way] = {}  # as they should be there
        self._counted: set[Port] = set()

    async def exists(self) -> bool:
        """Tell whether there is a table of our name, whoever made it."""
        return await self._nft.table() is not None

    async def open(self) -> None:
        """Take the namespace for ourselves and look at what stands there; change nothing."""
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
        """Let the relay have new clients, within the 5 s of a lease: what stands there leads them
        where it should not, and nft does not change it, for `reason`. Not where rules stay beyond
        this process.
        """
        if self._tied and not self.gives_way:
            with contextlib.suppress(PlaneError):
                self._owner.turn(alive=False)
                self.gives_way = f"{reason}; the relay has new sessions until that is over"

    def lead(self) -> None:
        """Lead new clients on again: what stands there is as it should be."""
        if self.gives_way:
            self._owner.turn(alive=True)
            self.gives_way = ""

    @property
    def lock(self) -> socket.socket | None:
        """What keeps others from the namespace; None while it is not ours."""
        return self._lock

    @property
    def unsure(self) -> bool:
        """Whether nothing tells what stands there, until `make_sure`."""
        return self._unsure

    async def make_sure(self) -> None:
        """Where nothing tells what stands there, make it what it was before that change."""
        if not self._unsure:
            return
        if self._first:
            await self._look(keep=True)
        else:
            await self.restore()
        self._unsure = False

    def hurry(self, grace: float) -> None:
        """From now on, wait no longer for each transaction than a stop within `grace` seconds has
        room for.
        """
        self._nft.hurry(max(_LEAST, min(_MOST, grace / 4)))

    @property
    def adopted(self) -> bool:
        """Whether an ambassador has left a table here, until it is changed for the first time."""
        return self._stale

    async def look_again(self) -> None:
        """Another has had the table: whatever stands there now, the next `commit` is the first."""
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
            self._kept = counted(await self._nft.counters())

    async def commit(self, change: Change) -> None:
        """Perform `change`, all of it or nothing."""
        if not change and not self._stale:
            return
        # What the process before us had and we have not had until now is counted from nothing.
        again = () if self._first else self._kept.intersection(change.counted)
        ways = dict(self._ways)
        for key in change.before:
            ways.pop(key, None)
        ways |= change.after
        text = await asyncio.to_thread(change.text, self._ways.values(), ways.values())
        first = self._first + ruleset.lease(lasting=not self._tied) if self._first else ""
        try:
            await self._run(first + ruleset.uncount(again) + text)
        except PlaneError as error:
            # What the change counts on is not there: another program has been here a moment ago.
            if self._first or ABSENT not in str(error):
                raise
            await self._run(await self._whole(mended()) + text)
        self._kept.difference_update(change.counted, change.uncounted)
        self._first, self._stale = "", False
        self._ways = ways
        self._counted.update(change.counted)
        self._counted.difference_update(change.uncounted)

    async def lift(self) -> None:
        """Take away what stops open flows. Does nothing before the first `commit`."""
        if not self._first:
            await self._run(stops.lifted())

    async def restore(self) -> None:
        """Make everything as it should be, whatever another program has made of it. Does nothing
        before the first `commit`.
        """
        if self._first:
            return
        found = await self._nft.table()
        if found is None or found.comment != LAYOUT:
            inherit(found)  # raises where it is not ours
        elif strangers := foreign(found):
            _tell_of(strangers)
        try:
            await self._run(await self._whole(mended()))
        except UnsureError:
            raise
        except PlaneError:  # a set of another kind, a table that is dormant
            await self._run(await self._whole(skeleton()))

    async def _whole(self, static: str) -> str:
        """Return what makes the table of its `static` part, and all that is in it."""

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
        """Return which peers have been told that their connection is cut: their address and port,
        and our port. `families` are AF_INET and AF_INET6.
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
        """Let another have the namespace."""
        for lock in filter(None, (self._lock, self._handed)):
            lock.close()
        self._lock = self._handed = None
        self._owner.close()
        if self._watch is not None:
            self._watch.close()


async def retire(nft: Nft) -> None:
    """Take the routes out of a table that an ambassador left, for one that only relays: flows go
    on, new ones reach the relay. Does nothing where there is none, or no right to touch it.
    """
    try:
        found = await nft.table()
        if found is not None and found.comment == LAYOUT:
            text = ruleset.emptied(found.chains, counters=False) + ruleset.lease(lasting=False)
            await nft.run(text)
    except PlaneError:
        return


def counted(counters: Mapping[str, Mapping[int, Counter]]) -> set[Port]:
    """Return the ports that `counters` know."""
    return {
        (proto, port)
        for proto in Proto
        for name in COUNTERS
        for port in counters.get(f"{name}_{proto}", ())
    }


def inherit(found: Found | None, *, keep: bool = False) -> str:
    """Return what makes an empty table of our layout from what was `found`; counts go on if `keep`.

    A table of this layout, left by an ambassador that was killed, is kept: conntrack entries
    refer to its timeout policies. One of another layout is replaced.
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
    """Return the chains of our table that no ambassador makes."""
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
