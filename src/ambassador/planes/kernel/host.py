"""The rules and the forwarding of this host: look at them, and notice when they change.

Nothing here changes them. The kernel reports changes of nftables' rules, which iptables-nft writes,
too; it does not report those of the older iptables, which are looked at again while they drop our
packets.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

from ambassador import log
from ambassador.errors import PlaneError
from ambassador.planes.kernel.chains import parse_nft, parse_saved
from ambassador.planes.kernel.firewall import Chain, Rules
from ambassador.planes.kernel.hindrances import Sight
from ambassador.planes.kernel.messages import attributes, messages
from ambassador.planes.kernel.netconf import followed, why_not
from ambassador.planes.kernel.netlink import NetlinkSocket
from ambassador.planes.kernel.nft import Nft
from ambassador.planes.kernel.privilege import find
from ambassador.planes.kernel.questions import OURS
from ambassador.planes.kernel.standing import others_stand
from ambassador.tasks import spawn

__all__ = ["PLACES", "Host", "legacy"]

_GROUP = 7  # NFNLGRP_NFTABLES
_SUBSYSTEM = 10 << 8  # NFNL_SUBSYS_NFTABLES
# NFT_MSG_*: a table, chain or rule comes or goes. Elements do not matter: a set matches perhaps,
# whatever is in it.
_CHANGES = frozenset(_SUBSYSTEM | kind for kind in (0, 2, 3, 5, 6, 8))
_TABLE_NAME = 1  # NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE
_BUFFER = 1 << 18
# A firewall that is being loaded makes many changes in a moment; one that changes every second must
# not take our time. The pause between two looks doubles while changes go on.
_FIRST, _LONGEST = 0.05, 5.0
_PATIENCE = 10.0
PLACES = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
_LEGACY = (
    ("ip", "iptables-legacy-save", Path("/proc/thread-self/net/ip_tables_names")),
    ("ip6", "ip6tables-legacy-save", Path("/proc/thread-self/net/ip6_tables_names")),
)


class Host:
    """From `open` to `close`, `changed` is called when `sight` has changed."""

    def __init__(self, nft: Nft, changed: Callable[[], Awaitable[None]]) -> None:
        self.sight = Sight()
        self._nft = nft
        self._changed = changed
        self._rules: NetlinkSocket | None = None
        self._forwarding: socket.socket | None = None
        self._looking: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._pause = _FIRST
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0.0

    async def open(self) -> None:
        """Begin to watch for changes, and look. Changes that cannot be watched are not noticed."""
        loop = asyncio.get_running_loop()
        try:
            self._rules = NetlinkSocket((_GROUP,), _BUFFER)
            self._rules.sock.setblocking(False)
            loop.add_reader(self._rules.sock.fileno(), self._hear_rules, self._rules.sock)
        except PlaneError as error:
            log.event(log.WARNING, "rules_unheard", f"changes of rules are not noticed: {error}")
        try:
            self._forwarding = followed()
            loop.add_reader(self._forwarding.fileno(), self._hear_forwarding, self._forwarding)
        except OSError:
            self._forwarding = None  # clients that come to the relay show it, too
        await self.look()

    def close(self) -> None:
        """Watch no longer."""
        loop = asyncio.get_running_loop()
        for going_on in (self._timer, self._looking):
            if going_on is not None:
                going_on.cancel()
        self._timer = None
        if self._rules is not None:
            loop.remove_reader(self._rules.sock.fileno())
            self._rules.close()
            self._rules = None
        if self._forwarding is not None:
            loop.remove_reader(self._forwarding.fileno())
            self._forwarding.close()
            self._forwarding = None

    async def look(self) -> bool:
        """Look now; return whether `sight` has changed."""
        async with self._lock:
            found = await asyncio.to_thread(_forwarding)
            chains, unread = list[Chain](), ""
            try:
                if await asyncio.to_thread(others_stand):
                    chains += parse_nft(await self._nft.ruleset())
                chains += await asyncio.to_thread(legacy)
            except PlaneError as error:  # go on with the rules that could be read
                unread = str(error)
            seen = Sight(Rules(tuple(chains)), *found, unread=unread)
            if seen.unread and not self.sight.unread:
                log.event(
                    log.WARNING,
                    "rules_unread",
                    f"not all rules of this host can be read: {seen.unread}; only clients that "
                    "fail show whether they let clients through",
                    reason=seen.unread,
                )
            before, self.sight = self.sight, seen
            return before != seen

    def _hear_rules(self, sock: socket.socket) -> None:
        try:
            data = sock.recv(65536)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EINTR, errno.ENOBUFS):
                raise
            return
        if _of_others(data):
            self._soon()

    def _hear_forwarding(self, sock: socket.socket) -> None:
        try:
            sock.recv(65536)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EINTR, errno.ENOBUFS):
                raise
        self._soon()

    def _soon(self) -> None:
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        quiet = loop.time() - self._last
        self._pause = min(_LONGEST, 2 * self._pause) if quiet < 2 * self._pause else _FIRST
        self._timer = loop.call_later(self._pause, self._due)

    def _due(self) -> None:
        self._timer = None
        self._last = asyncio.get_running_loop().time()
        if self._looking is not None and not self._looking.done():
            self._soon()
        else:
            self._looking = spawn(self._look_and_tell(), "rules of this host")

    async def _look_and_tell(self) -> None:
        if await self.look():
            await self._changed()


def _of_others(data: bytes) -> bool:
    """Tell whether some event of nftables in `data` is of another table than ours."""
    for kind, _, begin, end in messages(data):
        if kind in _CHANGES:
            place = attributes(data, begin, end).get(_TABLE_NAME)
            name = data[place[0] : place[1]].rstrip(b"\0") if place else b""
            if not OURS.fullmatch(name.decode(errors="replace")):
                return True
    return False


def _forwarding() -> tuple[str, str]:
    return why_not(ipv6=False), why_not(ipv6=True)


def legacy() -> list[Chain]:
    """Return the rules of the older iptables, where this namespace has any and they can be read."""
    found: list[Chain] = []
    for family, program, names in _LEGACY:
        try:
            if "filter" not in names.read_text().split():
                continue
        except OSError:
            continue  # no such file, or we may not read it; other ways to ask would make the table
        path = find(program, PLACES)
        if not path:
            raise PlaneError(f"{names.name} has a table filter, and there is no {program}")
        try:
            done = subprocess.run(  # noqa: S603 (no shell reads it)
                (path, "-t", "filter"),
                check=True,
                capture_output=True,
                text=True,
                timeout=_PATIENCE,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise PlaneError(f"{program}: {error}") from error
        found += parse_saved(done.stdout, family)
    return found
