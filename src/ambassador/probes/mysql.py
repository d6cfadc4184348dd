"""Health of MySQL and MariaDB: it sends its greeting, and answers the login of an unknown user.

For a client that reads the greeting and closes, the server counts an error, and after 100 errors it
blocks the host of that client (`max_connect_errors`). So the user `ambassador` logs in without a
password and is refused, which is no such error. Any answer to this login is a sign of life, unless
it says that no client is accepted.
https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html

Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["MysqlProbe"]

_LONG_PASSWORD, _PROTOCOL_41, _SECURE, _PLUGIN = 1, 0x200, 0x8000, 0x80000
_UTF8 = 33  # a collation that every version knows
_LARGEST = 1 << 24
_OK, _MORE, _SWITCH, _ERROR = 0x00, 0x01, 0xFE, 0xFF  # first byte of a packet
# Too many connections, shutdown, host blocked, host not allowed, offline mode
# (https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html).
_NOBODY = {1040, 1053, 1129, 1130, 3032}
_LONGEST = 4096  # of one packet; a greeting has about 100 bytes


class MysqlProbe:
    """Implements ports.Dialogue."""

    def question(self, host: str) -> bytes:
        """Return nothing: the server sends first; see ports.Probe."""
        return b""

    def reply(self, answer: bytes) -> bytes:
        """Return the login, and the reply that the authentication method needs; see
        ports.Dialogue.
        """
        said = b""
        for place, (number, packet) in enumerate(_packets(answer)):
            if place == 0 and packet[:1] == b"\x0a":
                said += _packet(number + 1, _login())
            elif place == 1 and packet[:1] == bytes([_SWITCH]):
                said += _packet(number + 1, b"")
        return said

    def judge(self, answer: bytes) -> str | None:
        """Read the greeting and the answer to the login; see ports.Probe."""
        if int.from_bytes(answer[:3], "little") > _LONGEST:
            return "does not speak like MySQL"
        for place, (_, packet) in enumerate(_packets(answer)):
            kind = packet[0] if packet else _OK
            if kind == _ERROR and (code := int.from_bytes(packet[1:3], "little")):
                refusal = packet[3:].removeprefix(b"#")
                refusal = refusal[5:] if packet[3:4] == b"#" else refusal
                text = refusal.decode(errors="replace") or f"error {code}"
                return text if place == 0 or code in _NOBODY else ""
            if place == 0 and kind not in (9, 10):  # the version of the protocol
                return "does not speak like MySQL"
            if (place == 0 and kind == 9) or (place and kind != _SWITCH):
                return ""
        return None


def _login() -> bytes:
    flags = _LONG_PASSWORD | _PROTOCOL_41 | _SECURE | _PLUGIN
    head = struct.pack("<IIB23x", flags, _LARGEST, _UTF8)
    return head + b"ambassador\0" + b"\0" + b"mysql_native_password\0"


def _packet(number: int, content: bytes) -> bytes:
    return len(content).to_bytes(3, "little") + bytes([number & 0xFF]) + content


def _packets(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of each complete packet."""
    place = 0
    while len(stream) >= place + 4:
        length = int.from_bytes(stream[place : place + 3], "little")
        if len(stream) < place + 4 + length:
            return
        yield stream[place + 3], stream[place + 4 : place + 4 + length]
        place += 4 + length
