"""How TLS is started with services that begin in clear. Each step gets all bytes received so far,
and returns all bytes to send, and whether TLS begins now.
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
    """One service. `prelude` is what its client receives first; `later`: TLS begins with the first
    bytes of the client.
    """

    prelude = b""
    later = False

    def step(self, heard: bytes) -> tuple[bytes, bool]:
        """Return the bytes to send, from the first one on, and whether TLS begins. Raises
        OSError.
        """
        raise NotImplementedError

    def dialect(self) -> Dialect | None:
        """Return what changes the messages that follow; None: nothing has to be changed."""
        return None


class PostgresStart(Start):
    """SSLRequest, and the letter that is the answer to it."""

    def step(self, heard: bytes) -> tuple[bytes, bool]:
        """See Start."""
        if heard[:1] == b"S":
            if len(heard) > 1:  # CVE-2021-23222: an attacker's bytes would count as encrypted
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
    """The greeting of the service; the client's answer decides what is sent with TLS."""

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
        place = end + 14  # after the version: thread id, 8 bytes of the scramble, a filler
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
    """The greeting, EHLO, STARTTLS; the client receives the greeting, and sends EHLO itself."""

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
