"""How PostgreSQL is followed: whether a member is in recovery, its system, its timeline.

The messages are those of https://www.postgresql.org/docs/current/protocol-message-formats.html; a
login may need nothing, a password in clear (over TLS only), MD5 or SCRAM-SHA-256.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import ssl
import struct
import time
from collections.abc import Callable
from typing import TypeVar

from ambassador.core.follow.claims import Place
from ambassador.core.follow.replica import UNKNOWN
from ambassador.core.follow.replica import Fact as Replica
from ambassador.core.follow.timeline import Fact
from ambassador.follow.asking import Asker
from ambassador.follow.channel import Channel, Denied, Silence
from ambassador.follow.scram import Scram, UnprovenError
from ambassador.follow.session import KeptSession
from ambassador.follow.talk import Terms

__all__ = ["AliveAsker", "PostgresAsker", "PostgresReplicaAsker"]

# The timeline of the next record to be written: pg_control_checkpoint() shows it only after the
# next checkpoint. The CASE avoids a call that would fail in recovery.
_QUESTION = """
select pg_is_in_recovery(), (select system_identifier from pg_control_system()),
  case when pg_is_in_recovery() then '0'
       else substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end
"""
# How far behind: 0 where all that was received is replayed. Without a receiver it is unknown what
# there is to receive, and the time since the last transaction counts.
_REPLICA = """
select pg_is_in_recovery(), exists (select from pg_stat_wal_receiver),
  case when exists (select from pg_stat_wal_receiver)
    and pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then 0
    else extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) end
"""
_VERSION = 3 << 16
_SSL_REQUEST = struct.pack("!II", 8, 80877103)
_SLOTS_ARE_FULL = "53300"
_STARTS_OR_STOPS = "57P03"  # cannot_connect_now
_REFUSED = ("28000", "28P01", "3D000", "42501")  # no such user, password, database; no permission
_LARGEST = 1 << 20
_Fact = TypeVar("_Fact")


class AliveAsker(Asker):
    """Implements asking.Asker without a login: a connection on which nothing is sent. It takes no
    connection slot and leaves no line in PostgreSQL's log. PostgreSQL closes it after a minute.
    """

    def __init__(self, place: Place, terms: Terms, hung_up: Callable[[], None]) -> None:
        self._place, self._hung_up = place, hung_up
        self._channel: Channel | None = None

    async def fact(self, limit: float) -> bool:
        """See asking.Asker."""
        if self._channel is None or self._channel.closed:
            channel = Channel(self._hung_up)
            try:
                async with asyncio.timeout(limit):
                    await channel.open(*self._place, None)
            except TimeoutError:
                raise Silence(f"no answer within {limit:g} s") from None
            self._channel = channel
        return True

    def close(self) -> None:
        """See asking.Asker."""
        if self._channel is not None:
            self._channel.close()


class _Session(KeptSession[_Fact]):
    """One session, in the PostgreSQL protocol."""

    _product = "PostgreSQL"
    _unreadable = (*KeptSession._unreadable, UnprovenError)

    async def _log_in(self) -> None:
        self.close()
        channel = self._channel = Channel(self._hung_up)
        await channel.open(*self._place, None)
        if self._terms.tls is not None:
            await self._start_tls(channel, self._terms.tls)
        user = self._terms.credentials.user
        said = f"user\0{user}\0database\0postgres\0application_name\0ambassador\0\0".encode()
        channel.send(struct.pack("!II", len(said) + 8, _VERSION) + said)
        scram: Scram | None = None
        while True:
            kind, body = await self._message(channel)
            if kind == b"R":
                scram = self._authenticate(channel, body, scram)
            elif kind == b"Z":
                return

    async def _start_tls(self, channel: Channel, tls: ssl.SSLContext) -> None:
        channel.send(_SSL_REQUEST)
        answer = await channel.until(lambda data: data[:1] or None)
        channel.data.clear()
        if answer != b"S":
            raise Denied("it does not speak TLS (health_tls)")
        await channel.start_tls(tls, self._place[0])

    def _authenticate(self, channel: Channel, body: bytes, scram: Scram | None) -> Scram | None:
        """Answer one authentication message; return the SCRAM exchange that is under way."""
        asked, rest = int.from_bytes(body[:4], "big"), body[4:]
        credentials = self._terms.credentials
        if asked == 0:
            return None
        if asked == 3 and self._terms.tls is not None:
            channel.send(_message(b"p", credentials.password().encode() + b"\0"))
        elif asked == 5:
            inner = hashlib.md5(  # noqa: S324 - the protocol's
                f"{credentials.password()}{credentials.user}".encode()
            ).hexdigest()
            outer = hashlib.md5(inner.encode() + rest[:4]).hexdigest()  # noqa: S324
            channel.send(_message(b"p", f"md5{outer}\0".encode()))
        elif asked == 10 and b"SCRAM-SHA-256\0" in rest:
            scram = Scram(credentials.password(), secrets.token_urlsafe(18))
            size = struct.pack("!I", len(scram.first))
            channel.send(_message(b"p", b"SCRAM-SHA-256\0" + size + scram.first))
        elif asked == 11 and scram is not None:
            channel.send(_message(b"p", scram.final(rest)))
        elif asked == 12 and scram is not None:
            scram.check(rest)
        else:
            raise Denied(f"it asks for a log-in of kind {asked}, which is not spoken here")
        return scram

    async def _row(self, question: str) -> list[str]:
        """Return the one row that is the answer to `question`."""
        channel = self._channel
        assert channel is not None
        channel.send(_message(b"Q", question.encode() + b"\0"))
        row: list[str] = []
        while True:
            kind, body = await self._message(channel)
            if kind == b"D":
                row = _columns(body)
            elif kind == b"Z":
                break
        return row

    @staticmethod
    async def _message(channel: Channel) -> tuple[bytes, bytes]:
        """Return the next message: its letter and its body. Raises Denied and Silence."""

        def read(data: bytes) -> tuple[bytes, bytes] | None:
            if len(data) < 5:
                return None
            size = int.from_bytes(data[1:5], "big")
            if not 4 <= size <= _LARGEST:
                raise ValueError(f"a message of {size} bytes")
            return (data[:1], data[5 : size + 1]) if len(data) > size else None

        kind, body = await channel.until(read)
        del channel.data[: len(body) + 5]
        if kind == b"E":
            fields = {one[:1]: one[1:].decode(errors="replace") for one in body.split(b"\0")}
            code, text = fields.get(b"C", ""), fields.get(b"M", "it refuses")
            if code in _REFUSED:
                raise Denied(f"the log-in is refused: {text} (user, password_file)")
            if code == _SLOTS_ARE_FULL:
                raise Denied(text)
            raise Silence(text, refused=code == _STARTS_OR_STOPS)
        return kind, body


class PostgresAsker(_Session[Fact]):
    """Implements asking.Asker for the facts about a primary."""

    async def _ask(self) -> Fact:
        recovery, system, timeline = await self._row(_QUESTION)
        return Fact(recovery == "f", system, int(timeline, 16))


class PostgresReplicaAsker(_Session[Replica]):
    """Implements asking.Asker for the facts about a replica. A replica without a link to its
    primary cannot know what the primary has written and not sent: then the time since the last link
    counts.
    """

    _heard: float | None = None  # when it had its link last

    async def _ask(self) -> Replica:
        recovery, linked, behind = await self._row(_REPLICA)
        now, lag = time.monotonic(), float(behind or UNKNOWN)
        if linked == "t":
            self._heard = now
        elif self._heard is not None:
            lag = now - self._heard
        return Replica(recovery == "t", linked == "t", max(lag, 0.0))


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def _columns(body: bytes) -> list[str]:
    """Return the columns of a DataRow."""
    count, place, found = int.from_bytes(body[:2], "big"), 2, []
    for _ in range(count):
        size = struct.unpack("!i", body[place : place + 4])[0]
        place += 4
        found.append(body[place : place + max(size, 0)].decode())
        place += max(size, 0)
    return found
