"""The allowance: a rule of ours in the chains of other programs, which accepts the packets that we
forward (AMBASSADOR_FORWARD=accept).

An accept in our own table cannot overrule a drop in another table: a packet has to pass each chain
of a hook (nft(8), "verdict statements"). So the rule is inserted at the top of the chain that
drops. It matches the bit of the connection label that says "translated by us", and nothing else. It
is removed at a clean stop. After a kill it stays, but matches no new flow once the rules that
translate have ended; the next ambassador removes it, or takes it over.

Into a table of iptables the rule is written by iptables, which could not list a rule of nft.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterable, Iterator, Sequence

from ambassador import log
from ambassador.errors import PlaneError
from ambassador.planes.kernel.chains import parse_nft
from ambassador.planes.kernel.firewall import Chain
from ambassador.planes.kernel.hindrances import Sight, dropping
from ambassador.planes.kernel.host import PLACES, Host, legacy
from ambassador.planes.kernel.layout import LABEL, TABLE
from ambassador.planes.kernel.nft import Nft
from ambassador.planes.kernel.privilege import find
from ambassador.planes.kernel.route import KernelRoute

__all__ = ["Allowance", "adding", "anything_left", "ours", "removing"]

_MATCH = f"ct label {LABEL}"
_PATIENCE = 10.0
_MOST = 10  # copies of the rule in one chain
# Chains of these names, of the families ip and ip6, are made by iptables-nft (iptables(8)).
_TABLES = ("filter", "mangle", "raw", "security", "nat")
_CHAINS = ("INPUT", "FORWARD", "OUTPUT", "PREROUTING", "POSTROUTING")


class Allowance:
    """Adds the rule to chains of this host that drop packets of routes, if it is `wanted`, and
    removes it.
    """

    def __init__(self, host: Host, nft: Nft, *, wanted: bool) -> None:
        self._host = host
        self._nft = nft
        self._wanted = wanted
        self._failed: set[str] = set()
        self._looked_at: Sight | None = None

    async def see_to(self, routes: Iterable[KernelRoute]) -> None:
        """Add the rule where packets of `routes` need it; if it is not wanted, remove rules that an
        earlier ambassador left.
        """
        sight = self._host.sight
        if not self._wanted:
            if sight is not self._looked_at:
                if await self._take_away():
                    await self._host.look()
                self._looked_at = self._host.sight
            return
        needed = {
            found.base
            for one in routes
            for way in one.wanted(sight.concerned, doubted=False).values()
            for found in dropping(sight, (way,))
            if not _on_top(found.base)
        }
        for chain in needed:
            try:
                await self._perform(removing(chain))  # a rule that is not at the top
                await self._perform([adding(chain)])
            except PlaneError as error:
                if str(chain) not in self._failed:
                    self._failed.add(str(chain))
                    log.event(
                        log.WARNING,
                        "forward_not_accepted",
                        f"AMBASSADOR_FORWARD=accept, and no rule can be added to {chain}: {error}",
                        chain=str(chain),
                        reason=str(error),
                    )
                continue
            self._failed.discard(str(chain))
            log.event(
                log.WARNING,
                "forward_accepted",
                f"{chain} drops what is forwarded: a rule of ours at its top accepts what this "
                "ambassador forwards (AMBASSADOR_FORWARD=accept)",
                chain=str(chain),
            )
        if needed:
            await self._host.look()

    async def close(self) -> None:
        """Remove the rule from all chains."""
        if self._wanted:
            await self._host.look()
            await self._take_away()

    async def _take_away(self) -> bool:
        """Remove our rules from every chain; return whether there were any."""
        found = False
        for chain in self._host.sight.rules.chains:
            if not ours(chain):
                continue
            found = True
            try:
                await self._perform(removing(chain))
            except PlaneError as error:
                log.event(
                    log.WARNING,
                    "rule_left",
                    f"a rule of ours stays in {chain}: {error}",
                    chain=str(chain),
                    reason=str(error),
                )
        return found

    async def _perform(self, commands: Iterable[Sequence[str]]) -> None:
        for program, *arguments in commands:
            if program == "nft":
                await self._nft.run(" ".join(arguments) + "\n")
            else:
                await asyncio.to_thread(_run, program, arguments)


def anything_left(nft: Nft) -> bool:
    """Return whether an ambassador has left its table, or its rule in another table; False where we
    may not look. Blocks.
    """
    try:
        text = nft.read()
        if f"table {TABLE} {{" in text:
            return True
        return any(map(ours, [*parse_nft(text), *legacy()]))
    except PlaneError:
        return False


def ours(chain: Chain) -> list[str]:
    """Return the handles of our rules in `chain`; empty texts where rules have none."""
    return [
        rule.handle
        for rule in chain.rules
        if rule.text.startswith(_MATCH) and " accept" in rule.text
    ]


def _on_top(chain: Chain) -> bool:
    """Tell whether the rule is at the top: then there is nothing more that we can do."""
    return bool(chain.rules) and chain.rules[0].text.startswith(_MATCH)


def adding(chain: Chain) -> Sequence[str]:
    """Return the program and arguments that add the rule at the top of `chain`."""
    if program := _iptables(chain):
        return (program, *_WAIT, "-t", chain.table, "-I", chain.name, "1", *_RULE)
    where = f"{chain.family} {chain.table} {chain.name}"
    return ("nft", "insert", "rule", where, _MATCH, 'accept comment "ambassador"')


def removing(chain: Chain) -> Iterator[Sequence[str]]:
    """Yield the commands that remove each of our rules from `chain`."""
    for handle in ours(chain)[:_MOST]:
        if program := _iptables(chain):
            yield (program, *_WAIT, "-t", chain.table, "-D", chain.name, *_RULE)
        else:
            where = f"{chain.family} {chain.table} {chain.name}"
            yield ("nft", "delete", "rule", where, "handle", handle)


_WAIT = ("-w", "5")  # seconds, for another iptables to end
_RULE = ("-m", "connlabel", "--label", str(LABEL), "-j", "ACCEPT")


def _iptables(chain: Chain) -> str:
    """Return the iptables program that has written `chain`; empty where nft has."""
    name = {"ip": "iptables", "ip6": "ip6tables"}.get(chain.family)
    if name is None or chain.table not in _TABLES:
        return ""
    if chain.legacy:
        return f"{name}-legacy"
    return f"{name}-nft" if chain.name in _CHAINS else ""


def _run(program: str, arguments: Sequence[str]) -> None:
    path = find(program, PLACES)
    if not path:
        raise PlaneError(f"the program {program} is missing (apt-get install iptables)")
    try:
        done = subprocess.run(  # noqa: S603 (no shell reads it)
            (path, *arguments),
            check=False,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PlaneError(f"{program}: {error}") from error
    if done.returncode:
        words = [line for line in done.stderr.splitlines() if not line.startswith("Warning")]
        raise PlaneError(f"{program}: {words[0] if words else f'exit code {done.returncode}'}")
