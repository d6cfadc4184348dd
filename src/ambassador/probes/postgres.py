"""Health of PostgreSQL: it does not refuse a connection because it starts up, recovers or stops.

As in pg_isready: a server that asks for a password, or says that there is no such user, works.
https://www.postgresql.org/docs/current/protocol-message-formats.html

Pure.
"""

from __future__ import annotations

import struct

__all__ = ["PostgresProbe"]

_VERSION = 3 << 16
_CANNOT_CONNECT_NOW = "57P03"  # starts up, recovers or stops
_HEAD = 5  # a letter and the length of what follows it, itself included
_LONGEST = 30000  # libpq takes the sender of a longer error for something other than PostgreSQL


class PostgresProbe:
    """Implements ports.Probe by a StartupMessage of the user `ambassador`."""

    def question(self, host: str) -> bytes:
        """Return the StartupMessage; see ports.Probe."""
        said = b"user\0ambassador\0database\0postgres\0application_name\0ambassador health\0\0"
        return struct.pack("!II", len(said) + 8, _VERSION) + said

    def judge(self, answer: bytes) -> str | None:
        """Read the first message; see ports.Probe."""
        if answer[:1] in (b"R", b"v"):  # asks for a password, or negotiates the version
            return ""
        length = int.from_bytes(answer[1:_HEAD], "big")
        if answer[:1] not in (b"", b"E") or length > _LONGEST:
            return "does not answer like PostgreSQL"
        if len(answer) < max(_HEAD, length + 1):
            return None
        fields = {
            field[:1]: field[1:].decode(errors="replace")
            for field in answer[_HEAD : length + 1].split(b"\0")
        }
        return fields.get(b"M", "refuses") if fields.get(b"C") == _CANNOT_CONNECT_NOW else ""
