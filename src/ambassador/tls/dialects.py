"""Clients without TLS and a service with TLS send different first messages: these classes change
the ones into the others, both ways.
"""

from __future__ import annotations

import struct

from ambassador.tls.dialect import Dialect
from ambassador.tls.stream import TlsSocket

__all__ = ["SSL_REQUEST", "MysqlDialect", "PostgresDialect"]

SSL_REQUEST = struct.pack("!II", 8, 80877103)
_GSS_REQUEST = struct.pack("!II", 8, 80877104)
_HEAD = 5  # of a PostgreSQL message: a letter and a length
_LONGEST = 10_000  # bytes of its first answer; a longer one is passed on unchanged
_SASL = struct.pack("!I", 10)
_CLIENT_SSL = 0x800
_ASKS = 32  # bytes of a MySQL SSLRequest: the first part of the answer to the greeting
_OK, _ERROR = 0x00, 0xFF


class PostgresDialect(Dialect):
    """libpq asks for TLS first, unless its settings exclude it: it gets the answer no, and goes on
    in clear. It also closes the connection where a server in clear offers to bind a password to
    TLS: this offer is removed.
    """

    def __init__(self) -> None:
        self._begun = self._told = b""
        self._has_begun = False

    def said(self, data: bytes, sock: TlsSocket) -> bytes:
        """See Dialect."""
        if self._has_begun:
            return data
        self._begun += data
        while self._begun[:8] in (SSL_REQUEST, _GSS_REQUEST):
            self._begun = self._begun[8:]
            sock.keep(b"N")
        if self._begun and not any(
            one.startswith(self._begun) for one in (SSL_REQUEST, _GSS_REQUEST)
        ):
            self._has_begun = True
            return self._begun
        return b""

    def heard(self, data: bytes, sock: TlsSocket) -> bytes:
        """See Dialect."""
        self._told += data
        passed = b""
        while len(self._told) >= _HEAD and not self.over:
            end = 1 + int.from_bytes(self._told[1:_HEAD], "big")
            if len(self._told) < end < _LONGEST:
                return passed
            message, self._told = self._told[:end], self._told[end:]
            self.over = message[:1] != b"v"  # a message about versions, which comes before
            passed += _without_binding(message)
        if not self.over:
            return passed
        rest, self._told = self._told, b""
        return passed + rest


def _without_binding(message: bytes) -> bytes:
    """Return `message`, without SCRAM-SHA-256-PLUS where it offers that (AuthenticationSASL)."""
    if message[:1] != b"R" or message[_HEAD : _HEAD + 4] != _SASL:
        return message
    body = message[_HEAD:].replace(b"SCRAM-SHA-256-PLUS\0", b"")
    return b"R" + struct.pack("!I", len(body) + 4) + body


class MysqlDialect(Dialect):
    """Before the client's first packet, the first part of it is sent with the flag for TLS. So
    packet numbers are one higher at the service, until it accepts or refuses the login.
    """

    def __init__(self) -> None:
        self._of_client = self._of_service = b""
        self._asked = False

    def said(self, data: bytes, sock: TlsSocket) -> bytes:
        """See Dialect."""
        self._of_client += data
        packets, self._of_client = _packets(self._of_client)
        passed = b""
        for packet in packets:
            if not self._asked:
                self._asked = True
                able = int.from_bytes(packet[4:8], "little") | _CLIENT_SSL
                packet = packet[:4] + struct.pack("<I", able) + packet[8:]  # noqa: PLW2901
                head = struct.pack("<I", _ASKS)[:3] + packet[3:4]
                sock.send_raw(head + packet[4 : 4 + _ASKS])
                sock.start()
            passed += packet[:3] + bytes([(packet[3] + 1) % 256]) + packet[4:]
        return passed

    def heard(self, data: bytes, sock: TlsSocket) -> bytes:
        """See Dialect."""
        self._of_service += data
        packets, self._of_service = _packets(self._of_service)
        passed = b""
        for number, packet in enumerate(packets):
            passed += packet[:3] + bytes([(packet[3] - 1) % 256]) + packet[4:]
            if packet[4:5] and packet[4] in (_OK, _ERROR):
                self.over = True
                return passed + b"".join(packets[number + 1 :]) + self._of_service
        return passed


def _packets(data: bytes) -> tuple[list[bytes], bytes]:
    """Return the complete packets in `data`, and the rest."""
    found = []
    while len(data) >= 4 and len(data) >= (end := 4 + int.from_bytes(data[:3], "little")):
        found.append(data[:end])
        data = data[end:]
    return found, data
