"""Ask the name servers of /etc/resolv.conf for IPv4 and IPv6 addresses."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from ambassador.errors import ResolveError
from ambassador.resolve.answer import Answer
from ambassador.resolve.file import WatchedFile
from ambassador.resolve.system import ask_system
from ambassador.tasks import spawn

if TYPE_CHECKING:
    import dns.asyncresolver
    import dns.exception
    import dns.resolver

__all__ = ["NameServers"]

_ONE_QUERY = 1.5  # seconds one name server may take
_ALL_QUERIES = 4.0
_OTHER_KIND = 1.0  # some name servers do not answer for IPv6 (RFC 4074 section 4.1)
_SHORTEST_TTL = 1.0
_THREADS = 16  # that may wait in libc at one time
# Docker's own DNS says 600 s of a container whose address may change, and be given to another
# container, within seconds.
_LONGEST_TTL = 30.0


class NameServers:
    """DNS by dnspython, which tells the TTL; set up anew when resolv.conf changes."""

    def __init__(self, path: Path = Path("/etc/resolv.conf")) -> None:
        self._file = WatchedFile(path)
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._libc = asyncio.Semaphore(_THREADS)

    async def ask(self, name: str) -> Answer:
        """Return the addresses of `name`. Raises ResolveError when there are none or nobody
        answers.
        """
        # 80 ms and 13 MB that a route to an address is spared; in a thread, so as not to stall.
        if self._resolver is None:
            await asyncio.to_thread(_import)
        import dns.exception  # noqa: PLC0415
        import dns.resolver  # noqa: PLC0415

        try:
            resolver = self._configured()
        except (dns.exception.DNSException, ValueError) as error:
            # libc passes over lines that it cannot read, and over a file that is not there.
            return await self._system(name, f"{self._file.path}: {error}")
        addresses: list[str] = []
        ttl = _LONGEST_TTL
        failures: list[Exception] = []
        for outcome in await _ask_both(resolver, name):
            if isinstance(outcome, dns.resolver.Answer):
                addresses += [record.to_text() for record in outcome]
                # of the whole chain of CNAMEs: each may come to point elsewhere
                ttl = min(ttl, outcome.chaining_result.minimum_ttl)
            else:
                failures.append(outcome)
        if addresses:
            return Answer.of(addresses, max(ttl, _SHORTEST_TTL))
        if any(isinstance(failure, dns.exception.Timeout) for failure in failures):
            raise ResolveError(f"{name}: the name servers do not answer")
        # Only now, because where DNS has said no, libc too is quick to answer.
        return await self._system(name, _words(failures[0]))

    async def _system(self, name: str, why: str) -> Answer:
        async with self._libc:
            return await ask_system(name, why)

    def _configured(self) -> dns.asyncresolver.Resolver:
        import dns.asyncresolver  # noqa: PLC0415

        if self._file.changed() or self._resolver is None:
            self._resolver = None
            resolver = dns.asyncresolver.Resolver(str(self._file.path))
            resolver.timeout, resolver.lifetime = _ONE_QUERY, _ALL_QUERIES
            self._resolver = resolver
        return self._resolver


async def _ask_both(
    resolver: dns.asyncresolver.Resolver, name: str
) -> list[dns.resolver.Answer | Exception]:
    """Ask for IPv4 and IPv6 at once; once one kind has addresses, the other has a second left."""
    import dns.exception  # noqa: PLC0415

    async def ask(kind: str) -> dns.resolver.Answer | Exception:
        try:
            return await resolver.resolve(name, kind, search=True)
        except (dns.exception.DNSException, OSError) as error:
            return error

    questions = [spawn(ask(kind), f"resolve {name} {kind}") for kind in ("A", "AAAA")]
    try:
        done, _ = await asyncio.wait(questions, return_when=asyncio.FIRST_COMPLETED)
        found = any(not isinstance(question.result(), Exception) for question in done)
        await asyncio.wait(questions, timeout=_OTHER_KIND if found else None)
        return [question.result() for question in questions if question.done()]
    finally:
        for question in questions:
            question.cancel()


def _import() -> None:
    import dns.asyncresolver  # noqa: F401, PLC0415


def _words(failure: Exception) -> str:
    import dns.resolver  # noqa: PLC0415

    if isinstance(failure, dns.resolver.NXDOMAIN):
        return "there is no such name"
    if isinstance(failure, dns.resolver.NoAnswer):
        return "the name has none in DNS"
    if isinstance(failure, dns.resolver.NoNameservers):
        said = dict.fromkeys(str(error[3]) for error in failure.kwargs.get("errors", ()))
        return f"the name servers say {', '.join(said)}" if said else "there is no name server"
    return str(failure)
