"""Ask the name servers of /etc/resolv.conf for IPv4 and IPv6 addresses."""

from __future__ import annotations

import asyncio
import contextlib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ambassador.errors import NoSuchNameError, ResolveError
from ambassador.files import WatchedFile
from ambassador.resolve.answer import Answer
from ambassador.resolve.question import Outcome, Resolvers, ask_both
from ambassador.resolve.repeat import Repeat
from ambassador.resolve.system import ask_system

if TYPE_CHECKING:
    import dns.resolver

__all__ = ["CONTAINER_TTL", "NameServers", "prepare", "ttl_of"]

_SHORTEST_TTL = 1.0
_LONGEST_TTL = 30.0
# Docker's own DNS gives a TTL of 600 s for a container whose address may change, and be given to
# another container, within seconds (moby, libnetwork/resolver.go: respTTL). So does Podman's with
# 86400 (aardvark-dns 1.0 to 1.4). A caching server counts the TTL down, so exactly this TTL does
# not come from a cache.
DOCKER = "127.0.0.11"
_DEFAULT_TTLS = (600, 86400)
CONTAINER_TTL = 1.0
_WHOLE = 300.0  # seconds after which a name is asked for in full, whatever repeats return
_FAMILIES = {"A": 4, "AAAA": 6}


class NameServers:
    """DNS by dnspython, which returns the TTL; set up again when resolv.conf changes."""

    def __init__(self, path: Path = Path("/etc/resolv.conf")) -> None:
        self._file = WatchedFile(path)
        self._resolvers: Resolvers | None = None

    async def ask(self, name: str) -> Answer:
        """Return the addresses of `name`. Raises NoSuchNameError where Docker's DNS says that there
        is no such container, ResolveError when there are no addresses or no server answers.
        """
        # 80 ms and 13 MB that a route to an address saves; in a thread, so that the loop is not
        # blocked.
        if self._resolvers is None:
            await asyncio.to_thread(prepare)
        import dns.exception  # noqa: PLC0415
        import dns.resolver  # noqa: PLC0415

        try:
            resolvers = self._configured()
        except (dns.exception.DNSException, ValueError) as error:
            # libc ignores lines that it cannot read, and a missing file.
            return await self._system(name, f"{self._file.path}: {error}")
        addresses: list[str] = []
        ttl = _LONGEST_TTL
        outcomes = await ask_both(resolvers, name)
        for outcome in outcomes.values():
            if isinstance(outcome, dns.resolver.Answer):
                addresses += [record.to_text() for record in outcome]
                # the TTL of the whole chain of CNAMEs: each may change
                ttl = min(ttl, ttl_of(outcome))
        silent = {_FAMILIES[kind] for kind, outcome in outcomes.items() if _is_silent(outcome)}
        if addresses:
            repeat = _repeat(outcomes) if ttl <= CONTAINER_TTL else None
            return Answer.of(addresses, max(ttl, _SHORTEST_TTL), silent, repeat)
        failures = [one for one in outcomes.values() if isinstance(one, Exception)]
        if any(isinstance(failure, dns.exception.Timeout) for failure in failures):
            raise ResolveError(f"{name}: the name servers do not answer")
        try:
            # Only now, because where DNS has said no, libc answers quickly, too.
            return await self._system(name, _words(failures[0]))
        except ResolveError as error:
            gone = all(isinstance(failure, dns.resolver.NXDOMAIN) for failure in failures)
            if gone and resolvers.servers == [DOCKER]:
                raise NoSuchNameError(str(error)) from None
            raise

    async def _system(self, name: str, why: str) -> Answer:
        return await ask_system(name, why)

    def repeatable(self, age: float) -> bool:
        """Return whether a question that was asked `age` seconds ago may be repeated unchanged: to
        the same name servers, and not for too long.
        """
        if self._file.changed():
            self._resolvers = None
        return self._resolvers is not None and age < _WHOLE

    def _configured(self) -> Resolvers:
        if self._file.changed() or self._resolvers is None:
            self._resolvers = None
            self._resolvers = Resolvers.read(self._file.path)
        return self._resolvers


def ttl_of(answer: dns.resolver.Answer) -> float:
    """Return for how many seconds `answer` may be used."""
    ttl = answer.chaining_result.minimum_ttl
    if answer.nameserver == DOCKER or ttl in _DEFAULT_TTLS:
        return min(ttl, CONTAINER_TTL)
    return float(ttl)


def _repeat(outcomes: dict[str, Outcome]) -> Repeat | None:
    """Return how to repeat the questions that were answered, for both kinds of addresses. None
    where one kind was not answered at all: that question may take its full time again.
    """
    import dns.exception  # noqa: PLC0415
    import dns.message  # noqa: PLC0415
    import dns.resolver  # noqa: PLC0415

    if any(isinstance(one, dns.exception.Timeout) for one in outcomes.values()):
        return None

    answers = [one for one in outcomes.values() if isinstance(one, dns.resolver.Answer)]
    first = answers[0]
    server = first.nameserver
    if not server or any(one.nameserver != server or one.qname != first.qname for one in answers):
        return None
    questions: list[bytes] = []
    addresses: list[frozenset[str] | None] = []
    for kind, outcome in outcomes.items():
        questions.append(dns.message.make_query(first.qname, kind).to_wire()[2:])
        if _is_silent(outcome):
            addresses.append(None)
        else:
            found = outcome if isinstance(outcome, dns.resolver.Answer) else ()
            addresses.append(frozenset(one.to_text() for one in found))
    return Repeat(server, first.port or 53, questions, addresses)


def _is_silent(outcome: Outcome) -> bool:
    """Return whether there was no answer to the question: neither yes nor no."""
    import dns.resolver  # noqa: PLC0415

    definite = dns.resolver.Answer | dns.resolver.NXDOMAIN | dns.resolver.NoAnswer
    return not isinstance(outcome, definite)


def prepare() -> None:
    """Import all that a question and its answer need: dnspython imports some of it only during a
    question, which would block the loop for 100 ms.
    """
    for name in ("dns.asyncresolver", "dns._asyncio_backend"):
        with contextlib.suppress(ImportError):  # a version without it
            import_module(name)
    for kind in ("ANY.CNAME", "ANY.NS", "ANY.SOA", "ANY.OPT", "IN.A", "IN.AAAA"):
        with contextlib.suppress(ImportError):
            import_module(f"dns.rdtypes.{kind}")


def _words(failure: Exception) -> str:
    import dns.resolver  # noqa: PLC0415

    if isinstance(failure, dns.resolver.NXDOMAIN):
        return "there is no such name"
    if isinstance(failure, dns.resolver.NoAnswer):
        return "the name has none in DNS"
    if isinstance(failure, dns.resolver.NoNameservers):
        errors = failure.kwargs.get("errors", ())
        said = dict.fromkeys(str(error[3]) or type(error[3]).__name__ for error in errors)
        return f"the name servers say {', '.join(said)}" if said else "there is no name server"
    return str(failure) or type(failure).__name__
