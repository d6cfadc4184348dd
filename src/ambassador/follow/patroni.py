"""What a Patroni says over REST: whether its member holds the lock, and where the members are.

https://patroni.readthedocs.io/en/latest/rest_api.html; the server uses HTTP/1.0, with one
connection for each question.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ambassador.core.follow.claims import Place
from ambassador.follow.asking import Asker
from ambassador.follow.channel import Channel, Denied, Silence
from ambassador.follow.talk import Terms
from ambassador.model import Inet

__all__ = ["Member", "RestAsker", "RestWord", "members"]

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_PATRONI = "it does not answer like a Patroni: its REST port is asked for, 8008 where none is said"


@dataclass(frozen=True, slots=True)
class RestWord:
    """What a Patroni says of its own member; `primary` is None where it cannot ask its
    PostgreSQL.
    """

    lock: bool
    name: str
    scope: str
    primary: bool | None
    system: str
    timeline: int


@dataclass(frozen=True, slots=True)
class Member:
    """A member as the set announces it: the addresses of its PostgreSQL and of the REST of its
    Patroni.
    """

    name: str
    postgres: Inet
    rest: Inet | None
    leader: bool


class RestAsker(Asker):
    """Implements asking.Asker."""

    def __init__(self, place: Place, terms: Terms) -> None:
        self._place, self._terms = place, terms

    async def fact(self, limit: float) -> RestWord:
        """See asking.Asker."""
        status, body = await _get(self._place, self._terms, "/primary", limit)
        try:
            return _word(status, body)
        except (LookupError, TypeError, ValueError, AttributeError):
            raise Denied(_PATRONI) from None

    def close(self) -> None:
        """See asking.Asker; there is no connection to close."""


async def members(place: Place, terms: Terms, limit: float) -> list[Member]:
    """Return the members of the set, according to the Patroni at `place`. Raises Silence."""
    status, body = await _get(place, terms, "/cluster", limit)
    if status != 200:
        raise Silence(f"it answers /cluster with {status}")
    try:
        return [_member(one) for one in body["members"] if one.get("host")]
    except (LookupError, TypeError, ValueError, AttributeError):
        raise Silence(_PATRONI) from None


def _word(status: int, body: Mapping[str, Any]) -> RestWord:
    patroni = body["patroni"]
    primary = None
    if body["state"] == "running":
        primary = body["role"] in {"primary", "master"}  # master: before Patroni 4
    return RestWord(
        status == 200,
        str(patroni.get("name", "")),
        str(patroni["scope"]),
        primary,
        str(body.get("database_system_identifier", "")),
        int(body.get("timeline") or 0) if primary else 0,
    )


def _member(plain: Mapping[str, Any]) -> Member:
    url = urlsplit(str(plain.get("api_url", "")))
    rest = Inet(url.hostname, url.port or 8008) if url.hostname else None
    postgres = Inet(str(plain["host"]), int(plain.get("port", 5432)))
    return Member(str(plain["name"]), postgres, rest, plain.get("role") == "leader")


async def _get(place: Place, terms: Terms, path: str, limit: float) -> tuple[int, Any]:
    """Return the status and the JSON of a GET. Raises Silence, and Denied for another protocol."""
    channel = Channel(lambda: None)
    try:
        async with asyncio.timeout(limit):
            await channel.open(*place, terms.tls)
            channel.send(f"GET {path} HTTP/1.0\r\nHost: {place[0]}\r\n\r\n".encode())
            try:
                return await channel.until(_answer)
            except Silence as silence:
                if not channel.data and silence.refused:  # as PostgreSQL does after a GET
                    raise Silence(f"it hung up; {_PATRONI}", refused=True) from None
                raise
    except TimeoutError:
        raise Silence(f"no answer within {limit:g} s") from None
    finally:
        channel.close()


def _answer(data: bytes) -> tuple[int, Any] | None:
    if len(data) >= 12 and _STATUS.match(data) is None:
        raise Denied(_PATRONI)
    head, ended, body = data.partition(b"\r\n\r\n")
    status = _STATUS.match(head)
    if not ended or status is None:
        return None
    try:
        return int(status[1]), json.loads(body)
    except ValueError:  # more bytes will arrive
        return None
