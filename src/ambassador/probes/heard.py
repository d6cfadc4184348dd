"""What was heard of one endpoint, what that comes to, and whether whoever decides knows it."""

from __future__ import annotations

from ambassador import log
from ambassador.core.health import Verdict, after
from ambassador.errors import AmbassadorError
from ambassador.model import Endpoint, Health, Route
from ambassador.ports import EndpointJudged
from ambassador.spec import format_endpoint

__all__ = ["Heard"]


class Heard:
    """From the first answer of `endpoint` on; `judge` is told of each change of its health."""

    __slots__ = ("_endpoint", "_judge", "_route", "_told", "_verdict")

    def __init__(self, route: Route, endpoint: Endpoint, judge: EndpointJudged) -> None:
        self._route, self._endpoint, self._judge = route, endpoint, judge
        self._verdict = Verdict()
        self._told = Health.UNKNOWN

    def changes(self, why: str) -> bool:
        """One more answer: nothing when it works, else why not. Tell whether there is something to
        `tell`.
        """
        self._verdict = after(self._verdict, not why, self._route.rise, self._route.fall)
        return self._verdict.health is not self._told

    async def tell(self, why: str) -> None:
        """Tell what is so now, because of `why`. What cannot be told is told again."""
        health, name = self._verdict.health, self._route.name
        try:
            await self._judge(self._route.key, self._endpoint.address, health, why)
        except AmbassadorError as error:
            log.event(log.ERROR, "not_judged", f"{name}  {error}", route=name)
            return
        self._told = health
        where = format_endpoint(self._endpoint)
        log.event(
            log.WARNING if health is Health.UNHEALTHY else log.INFO,
            f"endpoint_{health}",
            f"{name}  {where} is {health}" + (f": {why}" if why else ""),
            route=name,
            endpoint=where,
            health=health.value,
            reason=why,
        )
