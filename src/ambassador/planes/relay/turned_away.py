"""Clients that were refused: counted by reason, and logged once a second at most."""

from __future__ import annotations

from collections import Counter

from ambassador import log
from ambassador.model import Reason
from ambassador.planes.relay.gateway import is_gateway

__all__ = ["TurnedAway", "tell_alike"]

_EACH = 1.0  # seconds between two lines about one reason
_HIDDEN = (
    "that is the gateway of this network, in whose name the engine may pass on what comes to a "
    "published port (docs/routes.md, who may come in)"
)
_WORDS = {
    Reason.DENIED: "may not come in",
    Reason.LIMIT: "came while as many sessions were open as limit allows",
    Reason.LIMIT_CLIENT: "came while the client had as many sessions as limit_client allows",
    Reason.HANDSHAKE: "failed in the TLS handshake",
    Reason.IDENTITY: "may not come in with its TLS identity",
    Reason.RATE: "came faster than rate allows",
    Reason.BANNED: "came in the time of a ban",
    Reason.PROXY_SENDER: "may not send a PROXY header, which the route needs",
    Reason.PROXY_MALFORMED: "sent no PROXY header",
    Reason.PROXY_LONG: "sent a PROXY header that is longer than one may be",
    Reason.PROXY_CRC: "sent a PROXY header with a wrong checksum",
    Reason.PROXY_CUT: "ended before the PROXY header did",
    Reason.PROXY_SLOW: "took too long to send the PROXY header",
}


class TurnedAway:
    """The clients that one route has refused."""

    def __init__(self) -> None:
        self.by: Counter[Reason] = Counter()
        self._untold: dict[Reason, int] = {}  # since the last line, while it is too early for more
        self._latest = self._detail = ""

    def add(self, route: str, reason: Reason, host: str, detail: str = "") -> None:
        """Count the client at `host`, which the route of this name refuses for `reason`; `detail`
        says more.
        """
        self.by[reason] += 1
        host = host.removeprefix("::ffff:")  # an IPv4 client of a dual-stack listener
        if reason in self._untold:
            self._untold[reason] += 1
            self._latest, self._detail = host, detail
        else:
            self._detail = detail
            self._tell(route, reason, 1, host)

    def _tell(self, route: str, reason: Reason, clients: int, host: str) -> None:
        self._untold[reason] = 0
        import asyncio  # noqa: PLC0415 (a worker imports this module, and has no event loop)

        asyncio.get_running_loop().call_later(_EACH, self._due, route, reason)
        who = f"{clients} clients were refused, {host} the last: they" if clients > 1 else ""
        text = f"{route}  {who or f'{host} was refused: it'} {_WORDS[reason]}"
        if reason is Reason.DENIED and is_gateway(host):
            text = f"{text}; {_HIDDEN}"
        if self._detail and reason in (Reason.HANDSHAKE, Reason.IDENTITY):
            text = f"{text}: {self._detail}"
        fields = {"route": route, "reason": reason.value, "clients": clients, "latest": host}
        log.event(log.WARNING, "clients_refused", text, **fields)

    def _due(self, route: str, reason: Reason) -> None:
        if untold := self._untold.pop(reason):
            self._tell(route, reason, untold, self._latest)


def tell_alike(route: str, words: str) -> None:
    """Log that all clients of the route of this name look like the gateway, in `words`."""
    log.event(log.WARNING, "clients_alike", f"{route}  {words}", route=route)
