"""How MariaDB and MySQL are followed: whether a member is read-only.

https://mariadb.com/kb/en/clientserver-protocol/; a log-in is by mysql_native_password, by
caching_sha2_password, or by the password in clear over TLS.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable

from ambassador.core.follow.claims import Place
from ambassador.core.follow.readonly import Fact
from ambassador.follow.channel import Channel, Denied, Silence
from ambassador.follow.session import KeptSession
from ambassador.follow.talk import Terms

__all__ = ["MysqlAsker", "native", "sha2"]

_QUESTION = b"\x03select @@global.read_only, @@server_id"
# LONG_PASSWORD, PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH
_ABILITIES = 0x1 | 0x200 | 0x8000 | 0x80000
_SSL = 0x800
_UTF8 = 33
_NATIVE, _SHA2, _CLEAR = "mysql_native_password", "caching_sha2_password", "mysql_clear_password"
_NOT_LET_IN = (1040, 1044, 1045, 1129, 1130, 1203, 1226, 1698)  # too many, access denied, blocked
_OK, _MORE, _SWITCH, _ERROR = 0x00, 0x01, 0xFE, 0xFF


class MysqlAsker(KeptSession[Fact]):
    """One session, in the protocol of MariaDB."""

    _product = "MariaDB"

    def __init__(self, place: Place, terms: Terms, hung_up: Callable[[], None]) -> None:
        super().__init__(place, terms, hung_up)
        self._number = 0  # sequence number of the next packet

    async def _log_in(self) -> None:
        self.close()
        channel = self._channel = Channel(self._hung_up)
        await channel.open(*self._place, None)
        scramble, plugin = _greeting(await self._packet())
        abilities = _ABILITIES | (_SSL if self._terms.tls else 0)
        head = struct.pack("<IIB23x", abilities, 1 << 24, _UTF8)
        if self._terms.tls is not None:
            self._send(head)
            await channel.start_tls(self._terms.tls, self._place[0])
        credentials = self._terms.credentials
        proof = self._proof(plugin, scramble)
        user = credentials.user.encode() + b"\0"
        self._send(head + user + bytes([len(proof)]) + proof + plugin.encode() + b"\0")
        while (packet := await self._packet())[0] != _OK:
            if packet[0] == _SWITCH:
                plugin, scramble = _switch(packet)
                self._send(self._proof(plugin, scramble))
            elif packet[:2] == b"\x01\x04":  # the server asks for the whole password
                self._send(self._proof(_CLEAR, b""))

    def _proof(self, plugin: str, scramble: bytes) -> bytes:
        password = self._terms.credentials.password().encode()
        if plugin == _NATIVE:
            return native(password, scramble)
        if plugin == _SHA2:
            return sha2(password, scramble)
        if plugin == _CLEAR and self._terms.tls is not None:
            return password + b"\0"
        raise Denied(f"it asks for a log-in by {plugin}, which is not spoken here without TLS")

    async def _ask(self) -> Fact:
        self._number = 0
        self._send(_QUESTION)
        await self._packet()  # the number of columns
        while (await self._packet())[0] != _SWITCH:  # the definitions of the columns, up to the end
            pass
        row = await self._packet()
        await self._packet()
        size = row[0]
        read_only, rest = row[1 : 1 + size], row[1 + size :]
        return Fact(read_only in {b"0", b"OFF"}, rest[1 : 1 + rest[0]].decode())

    def _send(self, body: bytes) -> None:
        assert self._channel is not None
        self._channel.send(struct.pack("<I", len(body))[:3] + bytes([self._number]) + body)
        self._number = (self._number + 1) % 256

    async def _packet(self) -> bytes:
        """Return the next packet. Raises Denied and Silence."""
        channel = self._channel
        assert channel is not None

        def read(data: bytes) -> bytes | None:
            size = int.from_bytes(data[:3], "little")
            return data[4 : 4 + size] if len(data) >= 4 and len(data) >= 4 + size else None

        body = await channel.until(read)
        self._number = (channel.data[3] + 1) % 256
        del channel.data[: 4 + len(body)]
        if not body:
            raise ValueError("an empty packet")
        if body[0] == _ERROR:
            code = int.from_bytes(body[1:3], "little")
            text = body[9:] if body[3:4] == b"#" else body[3:]
            said = text.decode(errors="replace")
            raise Denied(said) if code in _NOT_LET_IN else Silence(said)
        return body


def native(password: bytes, scramble: bytes) -> bytes:
    """Return the proof of mysql_native_password."""
    if not password:
        return b""
    first = hashlib.sha1(password).digest()  # noqa: S324 - the protocol's
    second = hashlib.sha1(scramble[:20] + hashlib.sha1(first).digest()).digest()  # noqa: S324
    return bytes(one ^ other for one, other in zip(first, second, strict=True))


def sha2(password: bytes, scramble: bytes) -> bytes:
    """Return the proof of caching_sha2_password."""
    if not password:
        return b""
    first = hashlib.sha256(password).digest()
    second = hashlib.sha256(hashlib.sha256(first).digest() + scramble[:20]).digest()
    return bytes(one ^ other for one, other in zip(first, second, strict=True))


def _greeting(packet: bytes) -> tuple[bytes, str]:
    """Return the scramble and the plugin of a greeting."""
    if packet[0] != 10:
        raise ValueError(f"a greeting of version {packet[0]}")
    after = packet.index(b"\0", 1) + 5  # the program's version, the thread id
    rest = packet[after + 8 + 19 :]  # capabilities, character set, status, reserved
    return packet[after : after + 8] + rest[:12], rest[13:].partition(b"\0")[0].decode() or _NATIVE


def _switch(packet: bytes) -> tuple[str, bytes]:
    plugin, _, scramble = packet[1:].partition(b"\0")
    return plugin.decode(), scramble
