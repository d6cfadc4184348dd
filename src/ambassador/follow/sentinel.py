"""One sentinel: questions on one connection, its events on another (a subscriber may not ask)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ambassador.core.follow.sentinel import Said
from ambassador.core.located import at
from ambassador.errors import ResolveError
from ambassador.follow.channel import Silence
from ambassador.follow.resp import Refused, Reply
from ambassador.follow.talk import Talk, Terms
from ambassador.model import Inet
from ambassador.ports import Resolver
from ambassador.tasks import spawn

__all__ = ["Sentinel"]

_LIMIT = 0.5  # seconds for one answer
_AGAIN = 0.2  # seconds until a lost subscription is renewed
_ALIVE = 2.0  # seconds between two pings on a subscription


class Sentinel:
    """Asks `member` about the set `name` each `pause` seconds. `heard` is called when its answer
    has changed, `event` for what it publishes: with the channel and the words of the message.
    """

    def __init__(
        self,
        member: Inet,
        name: str,
        terms: Terms,
        resolver: Resolver,
        *,
        heard: Callable[[], None],
        event: Callable[[str, list[str]], None],
    ) -> None:
        self.member = member
        self.said: Said | None = None
        self.problem = "not asked yet"
        self.place: tuple[str, int] | None = None
        self.asked = False  # at least once
        self.pause = 0.5
        self._name = name
        self._terms = terms
        self._resolver = resolver
        self._heard = heard
        self._event = event
        self._now = asyncio.Event()
        self._alive = asyncio.Event()
        self._tasks = [
            spawn(self._ask_on(), f"ask the sentinel {member.host}"),
            spawn(self._listen_on(), f"listen to the sentinel {member.host}"),
        ]

    def ask_now(self) -> None:
        """Ask without waiting for the next turn."""
        self._now.set()

    def close(self) -> None:
        """Stop asking, and end the subscription."""
        for task in self._tasks:
            task.cancel()

    async def _ask_on(self) -> None:
        talk: Talk | None = None
        try:
            while True:
                self._now.clear()
                try:
                    place = await self._resolved()
                    if talk is None or talk.place != place:
                        if talk is not None:
                            talk.close()
                        talk = Talk(place, self._terms, self._now.set, name=self.member.host)
                    said, problem = await self._ask(talk)
                except (Silence, ResolveError) as silence:
                    said, problem = None, str(silence)
                self._take(said, problem)
                try:
                    async with asyncio.timeout(self.pause):
                        await self._now.wait()
                except TimeoutError:
                    pass
        finally:
            if talk is not None:
                talk.close()

    def _take(self, said: Said | None, problem: str) -> None:
        news = (said, problem) != (self.said, self.problem) or not self.asked
        self.said, self.problem, self.asked = said, problem, True
        if news:
            self._heard()

    async def _ask(self, talk: Talk) -> tuple[Said | None, str]:
        """Return its answer and what is wrong. Both questions are sent together: for a second after
        a failover the leader has the new epoch with the old address, in the second answer alone.
        """
        address, master = await talk.ask(
            ("SENTINEL", "get-master-addr-by-name", self._name),
            ("SENTINEL", "master", self._name),
            limit=_LIMIT,
        )
        if isinstance(address, Refused):
            return None, _explained(address, "sentinel|get-master-addr-by-name")
        if address is None:
            return Said(None), await self._unknown(talk)
        if not isinstance(address, list) or len(address) != 2:
            return None, f"answers {address!r}"
        place = await self._place(str(address[0]), str(address[1]))
        if place is None:
            return None, f"names {address[0]}:{address[1]}, which has no address here"
        if isinstance(master, Refused):
            return Said(place), _explained(master, "sentinel|master")
        failover = "failover_in_progress" in _field(master, "flags").split(",")
        return Said(place, _epoch(master), failover), ""

    async def _unknown(self, talk: Talk) -> str:
        (known,) = await talk.ask(("SENTINEL", "masters"), limit=_LIMIT)
        names = [_field(one, "name") for one in known] if isinstance(known, list) else []
        listed = f"; it knows {', '.join(sorted(filter(None, names)))}" if names else ""
        return f'knows no set "{self._name}"{listed}'

    async def _place(self, host: str, port: str) -> tuple[str, int] | None:
        """Return the address that the sentinel names; where a set announces names, they are
        resolved here.
        """
        try:
            return at((await self._resolver.resolve(host))[0], int(port))
        except (ResolveError, ValueError):
            return None

    async def _resolved(self) -> tuple[str, int]:
        host = (await self._resolver.resolve(self.member.host))[0]
        self.place = at(host, self.member.port)
        return self.place

    async def _listen_on(self) -> None:
        while True:
            talk: Talk | None = None
            try:
                talk = Talk(
                    await self._resolved(), self._terms, self._alive.set, self._published,
                    self.member.host,
                )  # fmt: skip
                reply = await talk.subscribe("*", _LIMIT)
                if not isinstance(reply, Refused):
                    self.ask_now()  # events published meanwhile are lost
                    await self._stay(talk)
            except (Silence, ResolveError, TimeoutError):
                pass
            finally:
                if talk is not None:
                    talk.close()
            await asyncio.sleep(_AGAIN)

    async def _stay(self, talk: Talk) -> None:
        """Return when the subscription no longer answers pings."""
        while talk.open:
            self._alive.clear()
            async with asyncio.timeout(_ALIVE):
                talk.ping()
                await self._alive.wait()
            await asyncio.sleep(_ALIVE)

    def _published(self, reply: Reply) -> None:
        self._alive.set()
        if isinstance(reply, list) and len(reply) == 4 and reply[0] == "pmessage":
            self._event(str(reply[2]), str(reply[3]).split())


def _explained(error: Refused, right: str) -> str:
    if error.startswith("NOPERM"):
        return f"has no right to a question; the ACL rule +{right} gives it"
    if "unknown command" in error:
        return "does not know SENTINEL: it is a data server, and no sentinel"
    if error.startswith("NOAUTH"):
        return "wants a password: sentinel_password_file (and sentinel_user)"
    return str(error)


def _epoch(master: Reply) -> int | None:
    found = _field(master, "config-epoch")
    return int(found) if found.isdigit() else None


def _field(pairs: Reply, name: str) -> str:
    if not isinstance(pairs, list):
        return ""
    return next((str(v) for k, v in zip(pairs[::2], pairs[1::2], strict=False) if k == name), "")
