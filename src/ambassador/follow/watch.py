"""Asking one member of a Redis set whether it is the primary, on one connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from ambassador.follow.channel import Denied, Silence
from ambassador.follow.resp import Refused, Reply
from ambassador.follow.talk import Talk, Terms
from ambassador.tasks import spawn

__all__ = ["Role", "Watch", "Word", "judged"]

_LIMIT = 0.3  # seconds for one answer


class Role(Enum):
    """What a member says of itself."""

    PRIMARY = auto()
    REPLICA = auto()
    LOADING = auto()  # it has just started
    UNSURE = auto()  # it answers, but not with its role: no loss of the role
    REFUSED = auto()  # no process listens, or it has closed the connection
    SILENT = auto()


@dataclass(frozen=True, slots=True)
class Word:
    """The answer of a member; `why` says more, where it is not clear."""

    role: Role
    why: str = ""


def judged(replies: Sequence[Reply]) -> Word:
    """Return what the replies to PING and ROLE mean."""
    ping, role = replies
    if isinstance(ping, Refused) and ping.startswith("LOADING"):
        return Word(Role.LOADING, "it loads its data")
    if isinstance(role, Refused):
        return Word(Role.UNSURE, _explained(role))
    match role:
        case ["master", *_]:
            return Word(Role.PRIMARY)
        case ["slave", *_]:
            return Word(Role.REPLICA, "it says that it is a replica")
        case ["sentinel", *_]:
            return Word(Role.UNSURE, "it is a sentinel, and no data server")
    return Word(Role.UNSURE, f"ROLE answers {role!r}")


def _explained(error: Refused) -> str:
    if error.startswith("NOPERM"):
        return f"it gives no right to ask ({error}); the ACL rules +ping +role do"
    if error.startswith("NOAUTH"):
        return "it wants a password: password_file (and user)"
    return str(error)


class Watch:
    """Asks `place` each `pause` seconds and calls `heard`; `ask_now` asks at once."""

    def __init__(
        self,
        place: tuple[str, int],
        terms: Terms,
        heard: Callable[[tuple[str, int], Word], None],
        pause: float,
    ) -> None:
        self.place = place
        self.pause = pause
        self._heard = heard
        self._now = asyncio.Event()
        self._talk = Talk(place, terms, self._now.set)
        self._task = spawn(self._run(), f"watch {place[0]}:{place[1]}")

    def ask_now(self) -> None:
        """Ask without waiting for the next turn."""
        self._now.set()

    def close(self) -> None:
        """Stop asking."""
        self._task.cancel()
        self._talk.close()

    async def _run(self) -> None:
        while True:
            self._now.clear()
            self._heard(self.place, await self._ask())
            try:
                async with asyncio.timeout(self.pause):
                    await self._now.wait()
            except TimeoutError:
                pass

    async def _ask(self) -> Word:
        try:
            return judged(await self._talk.ask(("PING",), ("ROLE",), limit=_LIMIT))
        except Denied as denied:
            return Word(Role.UNSURE, str(denied))
        except Silence as silence:
            role = Role.REFUSED if silence.refused else Role.SILENT
            return Word(role, str(silence))
