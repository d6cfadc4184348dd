"""The answers of one endpoint, its health that follows from them, and whether that was reported."""

from __future__ import annotations

from collections.abc import Collection

from ambassador import log
from ambassador.core.health import Verdict, after
from ambassador.errors import AmbassadorError
from ambassador.model import Endpoint, Health, Route
from ambassador.ports import AddressProbed, EndpointJudged
from ambassador.spec import format_endpoint

__all__ = ["Heard"]

_UNTOLD = (Health.UNKNOWN, ())


class Heard:
    """From the first answer of `endpoint` on; `judge` is called at each change of its health, or of
    the health of an address of its name.

    An endpoint works while one of its addresses does, and is unhealthy when all of them are.
    """

    __slots__ = ("_endpoint", "_judge", "_known", "_reasons", "_route", "_told", "_verdicts")

    def __init__(self, route: Route, endpoint: Endpoint, judge: EndpointJudged) -> None:
        self._route, self._endpoint, self._judge = route, endpoint, judge
        self._verdicts: dict[str, Verdict] = {}  # by address; empty: none is known
        self._reasons: dict[str, str] = {}  # of unhealthy addresses
        self._told: tuple[Health, tuple[AddressProbed, ...]] = _UNTOLD
        self._known = True  # whether the present health was reported

    def among(self, addresses: Collection[str]) -> None:
        """Its addresses are `addresses` now."""
        if addresses and self._verdicts.keys() != set(addresses):
            known = self._verdicts
            self._verdicts = {one: known.get(one, Verdict()) for one in addresses}
            self._known = self._now() == self._told

    def changes(self, why: str, address: str | None = None) -> bool:
        """Take one more answer, of `address` (None: of all): empty when it works, else why not.
        Tell whether there is something to `tell`.
        """
        for one in (self._verdicts or [""]) if address is None else [address]:
            before = self._verdicts.get(one) or Verdict()
            verdict = after(before, not why, self._route.rise, self._route.fall)
            self._verdicts[one] = verdict
            if verdict.health is not before.health:
                self._reasons[one] = why
                self._known = self._now() == self._told
        return not self._known

    async def tell(self, why: str) -> None:
        """Report the present health, because of `why`. A report that fails is repeated."""
        health, addresses = found = self._now()
        name, key = self._route.name, self._route.key
        why = why if health is Health.UNHEALTHY else ""  # it may be about another address
        try:
            await self._judge(key, self._endpoint.address, health, why, addresses)
        except AmbassadorError as error:
            log.event(log.ERROR, "not_judged", f"{name}  {error}", route=name)
            return
        (health_before, before), self._told = self._told, found
        self._known = self._now() == found
        if health is not health_before and health is not Health.UNKNOWN:
            self._say(health, "", why)
        for one in addresses:
            if one.health not in {Health.UNKNOWN, _health_of(one.address, before, health_before)}:
                self._say(one.health, one.address, one.reason)

    def _now(self) -> tuple[Health, tuple[AddressProbed, ...]]:
        healths = {one.health for one in self._verdicts.values()}
        for health in (Health.HEALTHY, Health.UNKNOWN, Health.UNHEALTHY):
            if health in healths:
                break
        if len(self._verdicts) < 2:
            return health, ()
        return health, tuple(
            AddressProbed(one, verdict.health, self._reason(one, verdict))
            for one, verdict in sorted(self._verdicts.items())
        )

    def _reason(self, address: str, verdict: Verdict) -> str:
        return self._reasons.get(address, "") if verdict.health is Health.UNHEALTHY else ""

    def _say(self, health: Health, address: str, why: str) -> None:
        name, where = self._route.name, format_endpoint(self._endpoint)
        at = f" at {address}" if address else ""
        log.event(
            log.WARNING if health is Health.UNHEALTHY else log.INFO,
            f"address_{health}" if address else f"endpoint_{health}",
            f"{name}  {where}{at} is {health}" + (f": {why}" if why else ""),
            route=name,
            endpoint=where,
            **({"address": address} if address else {}),
            health=health.value,
            reason=why,
        )


def _health_of(address: str, told: Collection[AddressProbed], of_all: Health) -> Health:
    """Return the health that was reported of an address; where it was the only one, that of the
    endpoint.
    """
    return next((one.health for one in told if one.address == address), of_all)
