"""Leads of followers, applied: cut, hold and release are one action.

A lead that cuts is in force when the last session to the old primary has ended; only then does the
follower ask to let clients through to the next one.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ambassador import log
from ambassador.control.apply import Applier
from ambassador.control.stack import PlaneStack
from ambassador.errors import AmbassadorError, RunError, StoreError
from ambassador.model import Desired, Fate, Inet, Reason, Route, RouteKey
from ambassador.ports import MemoryStore, RouteStatus
from ambassador.spec import format_address
from ambassador.tasks import spawn

if TYPE_CHECKING:
    from ambassador.core.follow.lead import Lead
    from ambassador.core.follow.memory import Memories, Memory
    from ambassador.core.results import FollowView

__all__ = ["Asked", "Switches"]

# Returns how many members of a follower answer, how many there are, and what is wrong.
Asked = Callable[[RouteKey], tuple[int, int, tuple[str, ...]]]

_LONGEST_CUT = 1.0  # seconds until the last session has ended; sessions left after that are logged
_LOOK = 0.02  # seconds between two looks at the sessions left
_BETWEEN = 8.0  # seconds an upgrade waits for a failover to end
_DISK = 0.2  # seconds that writing a memory to disk may take, before clients go on without it
# By the name of the stance; the enum is imported only where a route follows something.
_WORDS = {"LET": "leads to {primary}", "WAIT": "waits for {primary}", "CUT": "has no primary"}


class _Followed(NamedTuple):
    lead: Lead
    primary: Inet | None  # where clients were let through last
    since: float  # since when, in seconds since 1970


class Switches:
    """Applies leads; `store` keeps what has to be remembered (without one, nothing is)."""

    def __init__(self, applier: Applier, plane: PlaneStack, store: MemoryStore | None) -> None:
        self.changes: Counter[tuple[str, str]] = Counter()  # by route and cause
        self.asked: Asked = lambda _key: (0, 0, ())
        self._applier = applier
        self._plane = plane
        self._store = store
        self._memories: dict[RouteKey, Memory] = {}
        self._followed: dict[RouteKey, _Followed] = {}

    @property
    def memories(self) -> Memories:
        """What has to be remembered."""
        return self._memories

    def load(self, desired: Desired) -> None:
        """Lead the followed routes of `desired` where they led before, with new clients waiting
        until that is confirmed.
        """
        if self._store is None:
            return
        from ambassador.core.follow.lead import Lead  # noqa: PLC0415 (see _WORDS)
        from ambassador.core.follow.memory import followed  # noqa: PLC0415 (the same)
        from ambassador.core.follow.stage import Stance  # noqa: PLC0415 (the same)

        known = self._store.load()
        for route in desired.routes:
            memory = known.get(route.key)
            if route.follows and memory is not None and memory.of == followed(route):
                self._memories[route.key] = memory
                why = "remembered from before, and not confirmed yet"
                self._applier.leads[route.key] = Lead(
                    memory.primary, Stance.WAIT, "start", why, memory
                )

    async def lead(self, key: RouteKey, lead: Lead) -> None:
        """Apply `lead` for the route `key`; on return it is in force. Raises PlaneError, after
        logging it; then all is as before.
        """
        from ambassador.core.follow.stage import Stance  # noqa: PLC0415 (see _WORDS)

        routes = self._applier.installed(key)
        if not routes:
            return
        news = lead.memory is not None and self._memories.get(key) != lead.memory
        if lead.memory is not None:
            self._memories[key] = lead.memory
        if news and lead.stance is not Stance.CUT:  # a cut does not wait for the disk
            await self._remember()
        route, began, cuts = routes[0], time.monotonic(), _cuts(routes[0], lead)
        # Bytes that are acknowledged from now on may be lost, and the rest takes long on a busy
        # machine.
        released = self._plane.fence(route) if cuts else None
        try:
            await self._applier.lead(key, lead)
            cut = await self._cut(route) if cuts else 0
        except AmbassadorError as error:
            text = f"{route.name}  cannot be led: {error}"
            log.event(log.ERROR, "not_led", text, route=route.name, reason=str(error))
            raise
        finally:
            if released is not None:
                released()
        self._note(route, key, lead, cut, time.monotonic() - began)
        if news and lead.stance is Stance.CUT:
            await self._remember()

    async def settled(self) -> None:
        """Wait for a time for routes between two primaries, where clients wait."""
        deadline = time.monotonic() + _BETWEEN
        while time.monotonic() < deadline and self.waiting():  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(_LOOK)

    def waiting(self) -> list[str]:
        """Return the names of routes at which clients wait for a primary: these clients cannot be
        handed over to another process.
        """
        between = [
            one for one in self._applier.routes if (one.led or one.placed) and one.hold is not None
        ]
        if not between:
            return []
        return [one.route.name for one in self._plane.status(between) if one.held]

    def refuse_waiting(self) -> None:
        """Raise RunError where clients wait at a route, or may: a process that takes over no open
        sessions could not release them.
        """
        routes = [one for one in self._applier.routes if not one.led and not one.placed]
        if held := [one.name for one in routes if one.hold is not None]:
            raise RunError(
                f"{', '.join(held)} held, and clients that wait cannot be handed over: "
                f"ambassador release {held[0]}"
            )
        if waiting := self.waiting():
            raise RunError(
                f"{', '.join(waiting)} without an endpoint, and clients that wait for one "
                "cannot be handed over: try again"
            )

    def view(self, route: Route) -> FollowView | None:
        """Return what `status` shows of a followed route."""
        if not route.follows:
            return None
        from ambassador.core.follow.memory import followed  # noqa: PLC0415 (see _WORDS)
        from ambassador.core.results import FollowView, SwitchCount  # noqa: PLC0415 (when asked)

        found = self._followed.get(route.key)
        answering, members, problems = self.asked(route.key)
        primary, lead = (found.primary, found.lead) if found else (None, None)
        return FollowView(
            followed(route),
            "" if primary is None else format_address(primary),
            "operator" if not route.led else followed(route).partition(":")[0],
            "" if lead is None else lead.why,
            0.0 if found is None else round(found.since, 3),
            answering,
            members,
            problems,
            tuple(
                SwitchCount(cause, count)
                for (name, cause), count in self.changes.items()
                if name == route.name
            ),
        )

    def views(self, statuses: Sequence[RouteStatus]) -> dict[str, FollowView]:
        """Return what `status` shows of the followed routes among those of `statuses`, by their
        names.
        """
        found = {one.route.name: self.view(one.route) for one in statuses if one.route.follows}
        return {name: view for name, view in found.items() if view is not None}

    async def _remember(self) -> None:
        """Write what is known now to disk; where the disk is slow, clients do not wait for it."""
        if self._store is None:
            return
        saving = spawn(asyncio.to_thread(self._save, dict(self._memories)), "remember the primary")
        await asyncio.wait({saving}, timeout=_DISK)

    def _save(self, memories: Memories) -> None:
        assert self._store is not None
        try:
            self._store.save(memories)
        except StoreError as error:
            log.event(log.ERROR, "not_kept", f"the primary is not remembered: {error}")

    async def _cut(self, route: Route) -> int:
        """Wait until all sessions of `route` have ended, and return how many there were. The planes
        end them as soon as an endpoint leaves; sessions that the planes have missed, or that began
        just then, are cut here.
        """
        seen: set[str] = set()
        deadline = time.monotonic() + _LONGEST_CUT
        while True:
            found = await self._plane.sessions([route])
            left = {one.id for one in found if one.address}
            seen |= left
            if not left:
                return len(seen)
            try:
                await self._plane.cut(left, Reason.DEMOTED)
            except AmbassadorError as error:
                log.event(log.ERROR, "not_cut", f"{route.name}  {error}", route=route.name)
                return len(seen)
            if time.monotonic() > deadline:
                text = f"{route.name}  {len(left)} sessions to the previous primary have not ended"
                log.event(log.ERROR, "not_cut", text, route=route.name, sessions=len(left))
                return len(seen)
            await asyncio.sleep(_LOOK)

    def _note(self, route: Route, key: RouteKey, lead: Lead, cut: int, seconds: float) -> None:
        from ambassador.core.follow.stage import Stance  # noqa: PLC0415 (see _WORDS)

        before = self._followed.get(key)
        primary, since = (before.primary, before.since) if before else (None, 0.0)
        if lead.stance is Stance.LET and lead.primary != primary:
            if primary is not None:
                self.changes[route.name, lead.cause] += 1
            primary, since = lead.primary, time.time()
        self._followed[key] = _Followed(lead, primary, since)
        if before is not None and before.lead.stance is lead.stance and before.lead.why == lead.why:
            return
        where = "" if lead.primary is None else format_address(lead.primary)
        what = _WORDS[lead.stance.name].format(primary=where)
        ended = f"; {cut} sessions cut" if cut else ""
        log.event(
            log.INFO if lead.stance is Stance.LET else log.WARNING,
            {Stance.LET: "primary", Stance.WAIT: "primary_silent", Stance.CUT: "primary_lost"}[
                lead.stance
            ],
            f"{route.name}  {what}: {lead.why}{ended}",
            route=route.name,
            primary=where,
            cause=lead.cause,
            evidence=lead.why,
            sessions=cut,
            seconds=round(seconds, 4),
        )


def _cuts(route: Route, lead: Lead) -> bool:
    """Return whether `lead` ends all sessions at once; a rate or a drain is done by the planes."""
    policy = route.existing.of(Reason.DEMOTED)
    return lead.stance.name == "CUT" and policy.fate is Fate.CUT and not policy.rate
