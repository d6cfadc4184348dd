"""A kept connection to a Redis, Valkey or Sentinel, for questions or for events."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ambassador.follow.channel import Channel, Credentials, Denied, Silence
from ambassador.follow.resp import Incomplete, Refused, Reply, Unreadable, command, parse

__all__ = ["Talk", "Terms"]


@dataclass(frozen=True, slots=True)
class Terms:
    """The user that logs in, and the TLS context (None: no TLS)."""

    credentials: Credentials
    tls: ssl.SSLContext | None = None


class Talk:
    """One connection to `place`, opened when it is needed and kept. `ended` is called when the
    other side closes it; `heard` gets replies without a question, after `subscribe` was called.
    """

    def __init__(
        self,
        place: tuple[str, int],
        terms: Terms,
        ended: Callable[[], None] = lambda: None,
        heard: Callable[[Reply], None] | None = None,
        name: str = "",
    ) -> None:
        self.place = place
        self._terms = terms
        self._ended = ended
        self._heard = heard
        self._name = name
        self._channel: Channel | None = None
        self._listening = False

    @property
    def open(self) -> bool:
        """Whether it is connected."""
        return self._channel is not None and not self._channel.closed

    async def ask(self, *commands: Sequence[str], limit: float) -> list[Reply]:
        """Return the replies to `commands`, sent together, within `limit` seconds. Raises Silence;
        then the next question opens a new connection.
        """
        try:
            async with asyncio.timeout(limit):
                channel = await self._connected()
                channel.send(b"".join(command(*words) for words in commands))
                return await self._replies(channel, len(commands))
        except TimeoutError:
            late = self._channel.late(limit) if self._channel else f"no answer within {limit:g} s"
            self.close()
            raise Silence(late) from None
        except Unreadable as error:
            self.close()
            raise Silence(str(error)) from None
        except (Silence, asyncio.CancelledError):
            self.close()
            raise

    async def subscribe(self, pattern: str, limit: float) -> Reply:
        """Have what is published on `pattern` given to `heard`; return the first reply."""
        (reply,) = await self.ask(("PSUBSCRIBE", pattern), limit=limit)
        self._listening = True
        self._take()
        return reply

    def ping(self) -> None:
        """Send a ping, whose reply is given to `heard`. Raises Silence."""
        if self._channel is None:
            raise Silence("it hung up")
        self._channel.send(command("PING"))

    def close(self) -> None:
        """Close the connection."""
        self._listening = False
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    async def _connected(self) -> Channel:
        if self._channel is not None and not self._channel.closed:
            return self._channel
        self.close()
        channel = self._channel = Channel(self._ended, self._take)
        await channel.open(*self.place, self._terms.tls, self._name)
        credentials = self._terms.credentials
        if credentials.given:
            user = (credentials.user,) if credentials.user else ()
            channel.send(command("AUTH", *user, credentials.password()))
            (reply,) = await self._replies(channel, 1)
            if isinstance(reply, Refused):
                raise Denied(f"the log-in is refused: {reply}")
        return channel

    @staticmethod
    async def _replies(channel: Channel, count: int) -> list[Reply]:
        found: list[Reply] = []

        def read(data: bytes) -> bool | None:
            start = 0
            try:
                while len(found) < count:
                    reply, start = parse(data, start)
                    found.append(reply)
            except Incomplete:
                pass
            finally:
                del channel.data[:start]
            return True if len(found) == count else None

        await channel.until(read)
        return found

    def _take(self) -> None:
        """Give `heard` the replies without a question."""
        channel = self._channel
        if not self._listening or channel is None or self._heard is None:
            return
        data, start = bytes(channel.data), 0
        try:
            while True:
                reply, start = parse(data, start)
                self._heard(reply)
        except Incomplete:
            del channel.data[:start]
        except Unreadable:
            self.close()
            self._ended()
