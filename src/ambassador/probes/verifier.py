"""Would endpoints that are to get traffic answer? Asked before and after a move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ambassador.errors import NotVerifiedError, ResolveError
from ambassador.model import Endpoint, Inet, Proto, Route
from ambassador.ports import Resolver
from ambassador.spec import format_address, format_endpoint
from ambassador.tls.keyring import Keyring

if TYPE_CHECKING:
    from ambassador.probes.exchange import Place

__all__ = ["ConnectVerifier"]

# Seconds for one address; a lost SYN is sent again after one second (RFC 6298 section 2.1).
_LIMIT = 3.0


class ConnectVerifier:
    """Implements ports.Verifier by connecting to every address of every endpoint, for a range to
    its first and its last port, and by the probe of the route's `health` where it has one. For UDP
    without a probe only the name is resolved: without a question there is no answer, and a datagram
    without meaning may do harm.
    """

    def __init__(
        self, resolver: Resolver, limit: float = _LIMIT, keyring: Keyring | None = None
    ) -> None:
        self._keyring = keyring
        self._resolver = resolver
        self._limit = limit

    async def verify(self, route: Route, endpoints: Sequence[Endpoint]) -> None:
        """Return when all of `endpoints` take connections; see ports.Verifier."""
        from ambassador.probes.exchange import NoAnswerError, ask, places  # noqa: PLC0415
        from ambassador.probes.table import probe_of  # noqa: PLC0415 (twelve modules)

        probe = probe_of(route.health, route.proto)
        for endpoint in endpoints:
            try:
                found = await places(endpoint, self._resolver, route.health)
            except ResolveError as error:
                raise NotVerifiedError(f"{format_endpoint(endpoint)}: {error}") from error
            if endpoint.proto is Proto.UDP and not route.health:
                continue
            for place in found:
                try:
                    await ask(probe, place, endpoint, self._limit, self._keyring)
                except NoAnswerError as error:
                    raise _failed(endpoint, place, str(error)) from error


def _failed(endpoint: Endpoint, place: Place, why: str) -> NotVerifiedError:
    text, (_, to) = format_endpoint(endpoint), place
    where = to if isinstance(to, str) else format_address(Inet(*to))
    at = "" if where in text else f" ({where})"
    return NotVerifiedError(f"{text}{at} does not answer: {why}; nothing has changed")
