"""A move: the new endpoints are probed, the route is led there, and they are probed once more."""

from __future__ import annotations

import asyncio
import time
from asyncio import to_thread
from collections.abc import Sequence
from dataclasses import replace

from ambassador.control import outcome
from ambassador.control.apply import Applier
from ambassador.control.stack import PlaneStack
from ambassador.core.commands import Move, Undo
from ambassador.core.moving import MovePlan, move
from ambassador.core.plan import ChangeRoute, Step
from ambassador.core.results import Moved
from ambassador.core.situation import Situation
from ambassador.errors import AmbassadorError, NotVerifiedError, RunError, TimedOutError
from ambassador.model import Endpoint, Existing, Route
from ambassador.ports import Verifier
from ambassador.spec import format_endpoint
from ambassador.tasks import spawn

__all__ = ["Moves"]


class Moves:
    """Makes one move at a time; `verifier`, where there is one, probes before and after it."""

    def __init__(self, applier: Applier, plane: PlaneStack, verifier: Verifier | None) -> None:
        self._applier = applier
        self._plane = plane
        self._verifier = verifier
        self._verifying: asyncio.Task[AmbassadorError | None] | None = None
        self._closed = False

    def close(self) -> None:
        """Break off a move that is in an early step."""
        self._closed = True
        if self._verifying is not None:
            self._verifying.cancel()

    async def do(self, command: Move, now: Situation, deadline: float) -> Moved:
        """Move, by `deadline` of the loop's clock. Raises AmbassadorError: nothing has changed."""
        began = time.monotonic()
        it, steps = await to_thread(self._decide, now, command)
        if command.check:
            return await self._check(command, it, steps, deadline)
        result = await self.make(command, it, now.who, deadline)
        return replace(result, seconds=round(time.monotonic() - began, 6))

    async def make(self, command: Move | Undo, it: MovePlan, who: str, deadline: float) -> Moved:
        """Make both steps of `it`, for `who`; see `do`."""
        applier = self._applier
        verified = await self._verify(command, it, deadline)
        before, key = applier.wishes, it.route.key
        await applier.apply(applier.desired, it.between, who, it.message)
        try:
            await self._verify(command, it, deadline)
            (status,) = self._plane.status(applier.installed(key))
            once = {key: it.existing} if it.existing else None
            await applier.wish(it.after, who, it.message, once)
        except AmbassadorError:
            # Clients that connected in between were given to a new endpoint, and stay there.
            keep = {key: Existing()}
            await applier.apply(applier.desired, before, who, "a move was undone", keep)
            raise
        here = applier.installed(key)
        await self._plane.measure(here)  # counting all of thousands takes 0.3 s
        (after,) = self._plane.status(here)
        return Moved(
            it.message,
            it.route.name,
            tuple(map(format_endpoint, it.endpoints)),
            tuple(map(format_endpoint, it.route.endpoints)),
            0.0,
            status.held,
            outcome.moved(it, after, kept=applier.keeps),
            verified=verified,
            sessions=outcome.left_behind(it, after),
            plane=after.plane,
            why=after.why,
        )

    async def _check(
        self, command: Move, it: MovePlan, steps: Sequence[Step], deadline: float
    ) -> Moved:
        """Make all parts of `it` that no client notices, and return what the rest would do."""
        began = time.monotonic()
        once = it.existing
        await self._plane.prepare(
            [
                replace(step, existing=once) if isinstance(step, ChangeRoute) else step
                for step in steps
            ]
        )
        verified = await self._verify(command, it, deadline)
        here = self._applier.installed(it.route.key)
        await self._plane.measure(here)
        (now,) = self._plane.status(here)
        (goal,) = [step.new for step in steps if isinstance(step, ChangeRoute)] or here
        plane, why = self._plane.foreseen(goal)
        return Moved(
            outcome.would_move(it),
            it.route.name,
            tuple(map(format_endpoint, it.endpoints)),
            tuple(map(format_endpoint, it.route.endpoints)),
            round(time.monotonic() - began, 6),
            0,
            outcome.checked(it, now, (plane, why), verified=verified),
            checked=True,
            verified=verified,
            sessions=outcome.left_behind(it, now),
            plane=plane,
            why=why,
        )

    def _decide(self, now: Situation, command: Move) -> tuple[MovePlan, Sequence[Step]]:
        it = move(now, command)
        return it, self._applier.check(it.after)  # raises where it would lead back to itself

    async def _verify(self, command: Move | Undo, it: MovePlan, deadline: float) -> bool:
        """Have the new endpoints probed, unless that is not needed; tell whether they have
        answered. Raises NotVerifiedError and its like.
        """
        route, endpoints = it.route, it.asked
        if not command.verify or self._verifier is None or not endpoints:
            return False
        where = ", ".join(map(format_endpoint, endpoints))
        given = deadline - asyncio.get_running_loop().time()
        if given <= 0:
            raise TimedOutError(f"no time was left to ask {where}; nothing has changed")
        self._verifying = spawn(self._answer(self._verifier, route, endpoints), "verify")
        try:
            async with asyncio.timeout_at(deadline):
                failure = await self._verifying
            if failure is not None:
                raise failure
        except asyncio.CancelledError:
            if not self._closed:
                raise
            raise RunError("the ambassador is stopping; nothing has changed") from None
        except TimeoutError:
            within = min(command.timeout, round(given, 1) or 0.1)
            raise NotVerifiedError(
                f"{where} did not answer within {within:g} s; nothing has changed"
            ) from None
        return True

    @staticmethod
    async def _answer(
        verifier: Verifier, route: Route, endpoints: Sequence[Endpoint]
    ) -> AmbassadorError | None:
        try:
            await verifier.verify(route, endpoints)
        except AmbassadorError as error:
            return error
        return None
