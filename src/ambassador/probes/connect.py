"""Would an endpoint take connections? The plainest test there is, for any protocol over TCP."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence

from ambassador.errors import NotVerifiedError, ResolveError
from ambassador.model import Endpoint, Inet, Proto, Route, Unix
from ambassador.ports import Resolver
from ambassador.spec import format_address, format_endpoint

__all__ = ["ConnectVerifier"]

# Seconds for one address; a SYN that was lost comes again after one (RFC 6298 section 2.1).
_LIMIT = 3.0


class ConnectVerifier:
    """Implements ports.Verifier by connecting to every address of every endpoint, of a range to
    its first and its last port. Of UDP only the name is resolved: silence says nothing there.
    """

    def __init__(self, resolver: Resolver, limit: float = _LIMIT) -> None:
        self._resolver = resolver
        self._limit = limit

    async def verify(self, route: Route, endpoints: Sequence[Endpoint]) -> None:
        """Return when all of `endpoints` take connections; see ports.Verifier."""
        for endpoint in endpoints:
            if isinstance(endpoint.address, Unix):
                await self._connect(endpoint, socket.AF_UNIX, endpoint.address.path)
            else:
                await self._verify(endpoint, endpoint.address)

    async def _verify(self, endpoint: Endpoint, address: Inet) -> None:
        try:
            hosts = await self._resolver.resolve(address.host)
        except ResolveError as error:
            raise NotVerifiedError(f"{format_endpoint(endpoint)}: {error}") from error
        if endpoint.proto is Proto.UDP:
            return
        ports = dict.fromkeys((address.ports[0], address.ports[-1]))
        for host in hosts:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            for port in ports:
                await self._connect(endpoint, family, (host, port))

    async def _connect(
        self, endpoint: Endpoint, family: socket.AddressFamily, to: str | tuple[str, int]
    ) -> None:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            async with asyncio.timeout(self._limit):
                await asyncio.get_running_loop().sock_connect(sock, to)
        except TimeoutError:
            raise _failed(endpoint, to, f"no answer within {self._limit:g} s") from None
        except OSError as error:
            # uvloop's errors carry only the number.
            why = os.strerror(error.errno).lower() if error.errno else str(error)
            raise _failed(endpoint, to, why) from error
        finally:
            sock.close()


def _failed(endpoint: Endpoint, to: str | tuple[str, int], why: str) -> NotVerifiedError:
    text, where = (
        format_endpoint(endpoint),
        to if isinstance(to, str) else format_address(Inet(*to)),
    )
    at = "" if where in text else f" ({where})"
    return NotVerifiedError(f"{text}{at} does not answer: {why}; nothing has changed")
