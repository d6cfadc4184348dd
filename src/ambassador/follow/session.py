"""A database session that is kept, for one question asked again and again."""

from __future__ import annotations

import asyncio
import struct
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

from ambassador.core.follow.claims import Place
from ambassador.follow.asking import Asker
from ambassador.follow.channel import Channel, Silence
from ambassador.follow.talk import Terms

__all__ = ["KeptSession"]

_Fact = TypeVar("_Fact")


class KeptSession(Asker, Generic[_Fact]):
    """Implements asking.Asker: logs in where needed, asks, and closes the connection after any
    failure. A subclass has the protocol; for bytes that it cannot parse it may raise any of
    `_unreadable`.
    """

    _product: ClassVar[str]
    _unreadable: ClassVar[tuple[type[Exception], ...]] = (ValueError, IndexError, struct.error)

    def __init__(self, place: Place, terms: Terms, hung_up: Callable[[], None]) -> None:
        self._place, self._terms, self._hung_up = place, terms, hung_up
        self._channel: Channel | None = None

    async def fact(self, limit: float) -> _Fact:
        """See asking.Asker."""
        try:
            async with asyncio.timeout(limit):
                if self._channel is None or self._channel.closed:
                    await self._log_in()
                return await self._ask()
        except TimeoutError:
            self.close()
            raise Silence(f"no answer within {limit:g} s") from None
        except (Silence, asyncio.CancelledError):
            self.close()
            raise
        except self._unreadable as error:
            self.close()
            raise Silence(f"it does not answer like {self._product}: {error}") from None

    def close(self) -> None:
        """See asking.Asker."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    @abstractmethod
    async def _log_in(self) -> None:
        """Open the channel and log in."""

    @abstractmethod
    async def _ask(self) -> _Fact:
        """Ask on the open channel."""
