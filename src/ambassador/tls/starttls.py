"""How services are asked to speak TLS that begin in clear. Each step is told all that was heard,
and returns all that is to be said, and whether TLS begins now.

PostgreSQL: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL;
MySQL: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html;
SMTP: RFC 3207.
"""

from __future__ import annotations

import errno
import re
import struct

from ambassador.tls.dialect import Dialect
from ambassador.tls.dialects import SSL_REQUEST, MysqlDialect, PostgresDialect

__all__ = ["STARTS", "Start"]

_CLIENT_SSL = 0x800
_REPLY = re.compile(rb"(?:\d{3}-[^\n]*\n)*(\d{3})(?: [^\n]*)?\n")


class Start:
    """One service. `prelude` is what its client hears first; `later`: TLS begins with the first
    words of the client.
    """

    prelude = b""
    later = False

    def step(self, heard: bytes) -> tuple[bytes, bool]:
        """Return what is to be said, from the first byte on, and whether TLS begins. Raises
        OSError.
        """
        raise NotImplementedError

    def dialect(self) -> Dialect | None:
        """Return what is to be changed of what follows."""
        return None


class PostgresStart(Start):
    """SSLRequest, and the letter that answers it."""

    def step(self, heard: bytes) -> tuple[bytes, bool]:
        """See Start."""
        if heard[:1] == b"S":
            if len(heard) > 1:  # CVE-2021-23222: somebody between would have it taken for secret
                raise _refused("it says something in clear after its consent to TLS")
            return SSL_REQUEST, True
        if heard:
            raise _refused(
                "it does not do TLS" if heard[:1] in b"NE" else "it does not answer like PostgreSQL"
            )
        return SSL_REQUEST, False

    def dialect(self) -> Dialect | None:
        """See Start."""
        return PostgresDialect()


class MysqlStart(Start):
    """Its greeting; the client's answer decides what is asked for with TLS."""

    later = True

    def step(self, heard: bytes) -> tuple[bytes, bool]:
        """See Start."""
        if len(heard) < 4:
            return b"", False
        length = int.from_bytes(heard[:3], "little")
        if length > 4096:
            raise _refused("it does not answer like MySQL")
        if len(heard) < 4 + length:
            return b"", False
        body = heard[4 : 4 + length]
        end = body.find(b"\0", 1)
        if body[:1] == b"\xff":
            raise _refused(body[9:].decode(errors="replace") or "it refuses")
        place = end + 14  # behind the version: the thread, 8 bytes of the scramble, a filler
        if body[:1] != b"\x0a" or end < 0 or len(body) < place + 2 or len(heard) > 4 + length:
            raise _refused("it does not answer like MySQL")
        able = int.from_bytes(body[place : place + 2], "little")
        if not able & _CLIENT_SSL:
            raise _refused("it does not do TLS")
        without = struct.pack("<H", able & ~_CLIENT_SSL)
        self.prelude = heard[:4] + body[:place] + without + body[place + 2 :]
        return b"", True

    def dialect(self) -> Dialect | None:
        """See Start."""
        return MysqlDialect()


class SmtpStart(Start):
    """The greeting, EHLO, STARTTLS; its client hears the greeting, and says EHLO itself."""

    def step(self, heard: bytes) -> tuple[bytes, bool]:
        """See Start."""
        said = b""
        place = 0
        for wanted, answer in ((b"220", b"EHLO ambassador\r\n"), (b"250", b"STARTTLS\r\n")):
            reply = _REPLY.match(heard, place)
            if reply is None:
                return said, False
            if reply[1] != wanted:
                raise _refused(reply[0].decode(errors="replace").strip())
            if wanted == b"220":
                self.prelude = reply[0]
            elif b"STARTTLS" not in reply[0].upper():
                raise _refused("it does not do TLS")
            said += answer
            place = reply.end()
        reply = _REPLY.match(heard, place)
        if reply is None:
            return said, False
        if reply[1] != b"220":
            raise _refused(reply[0].decode(errors="replace").strip())
        if reply.end() != len(heard):  # CVE-2011-0411
            raise _refused("it says something in clear after its consent to TLS")
        return said, True


STARTS: dict[str, type[Start]] = {
    "postgres": PostgresStart,
    "mysql": MysqlStart,
    "smtp": SmtpStart,
}


def _refused(why: str) -> ConnectionAbortedError:
    return ConnectionAbortedError(errno.ECONNABORTED, why)
