"""One name, asked for in DNS with both kinds of addresses, so that one lost datagram costs
little.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Union

from ambassador.resolve.paced import paced
from ambassador.tasks import spawn

if TYPE_CHECKING:
    import dns.asyncresolver
    import dns.name
    import dns.resolver

__all__ = ["Outcome", "Resolvers", "ask_both"]

_ONE_QUERY = 1.5  # seconds one name server may take
_ALL_QUERIES = 4.0
_PER_NAME = 1.6  # the same where search domains give several names: one of them may get no answer
_AGAIN = 0.4  # seconds after which a question is asked once more, beside the first
_OTHER_KIND = 1.0  # some name servers do not answer for IPv6 (RFC 4074 section 4.1)
_PAYLOAD = 1232  # octets; what fits into a datagram nearly everywhere (DNS flag day 2020)

Outcome = Union["dns.resolver.Answer", Exception]


@dataclass(slots=True)
class Resolvers:
    """What resolv.conf says, with EDNS (RFC 6891) and without: some servers do not know EDNS, and
    some drop messages with it.
    """

    extended: dns.asyncresolver.Resolver
    plain: dns.asyncresolver.Resolver

    @classmethod
    def read(cls, path: Path) -> Resolvers:
        """Read `path`. Raises DNSException and ValueError."""
        import dns.asyncresolver  # noqa: PLC0415

        both = []
        for payload in (_PAYLOAD, 0):
            resolver = dns.asyncresolver.Resolver(str(path))
            resolver.use_edns(0 if payload else -1, 0, payload)
            resolver.timeout, resolver.lifetime = _ONE_QUERY, _ALL_QUERIES
            both.append(resolver)
        return cls(*both)

    @property
    def servers(self) -> list[str]:
        """The addresses of the name servers."""
        return [str(server) for server in self.plain.nameservers]

    def names(self, name: str) -> list[dns.name.Name]:
        """Return the names to ask for in order, with the search domains (resolv.conf(5), ndots)."""
        import dns.name  # noqa: PLC0415

        wanted = dns.name.from_text(name, None)
        if wanted.is_absolute():
            return [wanted]
        resolver = self.plain
        suffixes = list(resolver.search)
        if not suffixes and resolver.domain not in (None, dns.name.root):
            suffixes = [resolver.domain]
        as_is = wanted.concatenate(dns.name.root)
        searched = [wanted.concatenate(suffix) for suffix in suffixes]
        ndots = 1 if resolver.ndots is None else resolver.ndots
        return [as_is, *searched] if len(wanted) > ndots else [*searched, as_is]


async def ask_both(resolvers: Resolvers, name: str) -> dict[str, Outcome]:
    """Ask for IPv4 and IPv6 at once; when one kind has addresses, the other has a second left. A
    kind without an answer by then counts as a timeout.
    """
    questions = {
        kind: spawn(_ask(resolvers, name, kind), f"resolve {name} {kind}") for kind in ("A", "AAAA")
    }
    try:
        done, _ = await asyncio.wait(questions.values(), return_when=asyncio.FIRST_COMPLETED)
        found = any(not isinstance(question.result(), Exception) for question in done)
        await asyncio.wait(questions.values(), timeout=_OTHER_KIND if found else None)
        return {
            kind: question.result() if question.done() else _too_late()
            for kind, question in questions.items()
        }
    finally:
        for question in questions.values():
            question.cancel()


def _too_late() -> Exception:
    import dns.exception  # noqa: PLC0415

    error: Exception = dns.exception.Timeout()  # type: ignore[no-untyped-call]
    return error


async def _ask(resolvers: Resolvers, name: str, kind: str) -> Outcome:
    """Ask for each name in turn until one has addresses. A name without an answer is skipped, but
    then the whole question has no answer instead of a no.
    """
    import dns.exception  # noqa: PLC0415
    import dns.resolver  # noqa: PLC0415

    try:
        names = resolvers.names(name)
    except dns.exception.DNSException as error:
        return error
    lifetime = _ALL_QUERIES if len(names) == 1 else _PER_NAME
    outcomes: list[Exception] = []
    for one in names:
        outcome = await _ask_twice(resolvers, one, kind, lifetime)
        if isinstance(outcome, dns.resolver.Answer):
            return outcome
        outcomes.append(outcome)
    no = dns.resolver.NXDOMAIN | dns.resolver.NoAnswer
    unsure = [one for one in outcomes if not isinstance(one, no)]
    empty = [one for one in outcomes if isinstance(one, dns.resolver.NoAnswer)]
    return (*unsure, *empty, *outcomes)[0]


async def _ask_twice(
    resolvers: Resolvers, name: dns.name.Name, kind: str, lifetime: float
) -> Outcome:
    """Ask, and if there is no answer soon, ask once more without EDNS; the first definite answer
    counts.

    Both questions stay open, so that an answer from a slow server counts, too.
    """
    first = spawn(_ask_once(resolvers.extended, name, kind, lifetime), f"{name} {kind}")
    asked = [first]
    try:
        await asyncio.wait(asked, timeout=_AGAIN)
        if first.done() and _is_definite(first.result()):
            return first.result()
        again = _ask_once(resolvers.plain, name, kind, lifetime)
        asked.append(spawn(again, f"{name} {kind}, again"))
        waiting = {one for one in asked if not one.done()}
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                if _is_definite(one.result()):
                    return one.result()
        return asked[-1].result()
    finally:
        for one in asked:
            one.cancel()


async def _ask_once(
    resolver: dns.asyncresolver.Resolver, name: dns.name.Name, kind: str, lifetime: float
) -> Outcome:
    import dns.exception  # noqa: PLC0415

    try:
        return await resolver.resolve(name, kind, search=False, lifetime=lifetime, backend=paced())
    except (dns.exception.DNSException, OSError) as error:
        return error


def _is_definite(outcome: Outcome) -> bool:
    import dns.resolver  # noqa: PLC0415

    return isinstance(outcome, dns.resolver.Answer | dns.resolver.NXDOMAIN | dns.resolver.NoAnswer)
