"""TLS records, between OpenSSL and the kernel: how bytes are encrypted and decrypted.

Ends are exact. close_notify is the end of one direction (RFC 8446, section 6.1), as a FIN is: it is
sent by `shutdown`, and read as no bytes; the other direction stays open. A FIN without it is a
truncation, and reads as a reset.

OpenSSL works on memory here (`ssl.MemoryBIO`): the kernel is called once for all bytes there are,
not once for the head and once for the body of each record.
"""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ambassador.tls.words import spoken

__all__ = ["LARGEST", "NOTHING", "Records"]

LARGEST = 256 << 10  # bytes of one read from the kernel
# Encrypted bytes that OpenSSL gets in one go: a little more than a record. A larger buffer, once
# allocated, stays allocated as long as the session.
_INSIDE = 17 << 10
NOTHING = memoryview(b"")
_SHUT_WR = socket.SHUT_WR
_receive, _transmit = socket.SocketType.recv_into, socket.SocketType.send
_shut = socket.SocketType.shutdown


class _Room(threading.local):
    """The buffer that the kernel fills: shared by all sessions, since it is empty again after each
    read.
    """

    def __init__(self) -> None:
        self.raw = bytearray(LARGEST)
        self.view = memoryview(self.raw)


_room = _Room()


class Records(socket.SocketType):
    """Takes over `sock`, which is non-blocking from then on. Used through `TlsSocket`."""

    __slots__ = (
        "_ended", "_heard", "_in", "_kept", "_out", "_raw", "_room", "_told", "behind",
        "failure", "shaking", "usual", "wake",
    )  # fmt: skip

    def __init__(
        self,
        sock: socket.SocketType,
        context: ssl.SSLContext,
        *,
        accepts: bool,
        host: str | None,
        session: ssl.SSLSession | None,
    ) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        # The object that SSLObject wraps, as its wrap_bio makes it: this saves a call for each read
        # and write, and 0.4 KiB for each session.
        self._raw: Any = context._wrap_bio(  # type: ignore[attr-defined]
            *(self._in, self._out, accepts),
            server_hostname=context._encode_hostname(host),  # type: ignore[attr-defined]
            session=session,
        )
        self._room = _room.raw, _room.view
        family, kind, proto = sock.family, sock.type, sock.proto
        super().__init__(family, kind, proto, sock.detach())
        self.setblocking(False)
        self._kept = b""  # decrypted bytes that were not taken yet
        self._ended = False  # the other side's close_notify was read
        self._told = False  # ours was sent
        self.usual = False  # only bytes are carried, both ways, and none are left in OpenSSL
        self._heard = False  # bytes have arrived after the handshake
        self.behind: bytes | memoryview = b""  # encrypted bytes that the kernel has not taken
        self.shaking = True  # the handshake is not over
        self.failure = ""  # why the connection failed, where it did not end regularly
        self.wake: Callable[[], None] = _nothing  # there are bytes to read, but no event

    def _read_usual(self, buffer: bytearray | memoryview, most: int) -> int:
        """Read where OpenSSL has no bytes left: nearly always the kernel has exactly one record."""
        room = most if most < LARGEST else LARGEST
        space, view = self._room
        got = _receive(self, space, room)
        if got > _INSIDE:
            return self._read(buffer, most, 0, got < room, view[:got])
        count: int = 0
        if got:
            inside = self._in
            inside.write(view[:got])
            try:
                count = self._raw.read(most, buffer)
            except ssl.SSLWantReadError:  # a part of a record
                pass
            except ssl.SSLError as error:
                self._stopped(error)
            else:
                # OpenSSL reads a record at a time, and gives all of it where there is room.
                if count < most and got < room and not inside.pending and not self._out.pending:
                    if count:
                        return count
                    self._stopped(None)
        else:
            self._cut_off()
        return self._read(buffer, most, count, got < room)

    def _read(
        self,
        buffer: bytearray | memoryview,
        most: int,
        filled: int = 0,
        drained: bool = False,
        rest: memoryview = NOTHING,
    ) -> int:
        """Read all that OpenSSL has, then the `rest` of the bytes that the kernel has given, then
        from the kernel unless that is `drained`, until there are no more or `buffer` is full.
        `filled` bytes of it are full already.
        """
        raw, inside = self._raw, self._in
        room = most if most < LARGEST else LARGEST
        space, view = self._room
        while filled < most and not (self._ended or self.failure):
            if not inside.pending and not raw.pending():
                if not rest:
                    if drained or (got := self._asked(space, room)) is None:
                        break
                    if not got:
                        self._cut_off()
                        break
                    drained, rest = got < room, view[:got]
                    self._heard = True
                inside.write(rest[:_INSIDE])
                rest = rest[_INSIDE:]
            try:
                count = self._decrypt(buffer, filled, most)
            except ssl.SSLWantReadError:  # a part of a record
                continue
            except ssl.SSLError as error:
                self._stopped(error)
                break
            if not count:
                self._stopped(None)
                break
            filled += count
        if rest:  # the buffer of the kernel is shared
            inside.write(rest)
        if filled == most:
            self.usual = False  # OpenSSL may have more
        if self._out.pending:  # an answer to a change of keys
            self.flush()
        return filled or self._nothing_read()

    def _decrypt(self, buffer: bytearray | memoryview, filled: int, most: int) -> int:
        """Decrypt a record, or as much of it as fits; return how many bytes."""
        if not filled:
            return int(self._raw.read(most, buffer))
        with memoryview(buffer)[filled:most] as free:
            return int(self._raw.read(most - filled, free))

    def _asked(self, space: bytearray, room: int) -> int | None:
        """Have the kernel fill `space`; return how many bytes, None where there are none now."""
        try:
            return _receive(self, space, room)
        except BlockingIOError:
            return None

    def _stopped(self, error: ssl.SSLError | None) -> None:
        """OpenSSL has no more bytes. At the end of the other side there is no `error`, or
        SSLZeroReturnError where ours was sent, too.
        """
        if error is None or isinstance(error, ssl.SSLZeroReturnError):
            self._ended, self.usual = True, False
        else:
            self._lost(spoken(error))

    def _cut_off(self) -> None:
        self._lost("the connection was cut off: its end came without close_notify")

    def _nothing_read(self) -> int:
        if self.failure:
            raise ConnectionResetError(errno.ECONNRESET, self.failure)
        if self._ended:
            return 0
        raise BlockingIOError(errno.EAGAIN, "")

    def _encrypt(self, data: bytes | bytearray | memoryview, total: int) -> None:
        write = self._raw.write
        try:
            done = write(data)
            while done < total:  # a record at a time
                with memoryview(data) as view, view[done:] as rest:
                    done += write(rest)
        except ssl.SSLError as error:
            raise ConnectionResetError(errno.ECONNRESET, spoken(error)) from error

    def send_raw(self, data: bytes) -> None:
        """Send `data` in clear, before the handshake."""
        self.behind = bytes(self.behind) + data
        self.flush()

    def flush(self) -> bool:
        """Send to the kernel what is encrypted already; tell whether it has taken all. Raises
        OSError.
        """
        if self._out.pending:
            more = self._out.read()
            self.behind = bytes(self.behind) + more if self.behind else more
        behind = self.behind
        if not behind:
            return True
        try:
            count = _transmit(self, behind)
        except BlockingIOError:
            return False
        except OSError:
            self.behind = b""
            if self.shaking or self._told:  # an alert in the bytes received may say why
                return True
            raise
        if count == len(behind):
            self.behind = b""
            return True
        self.behind = memoryview(behind)[count:]
        return False

    def taken(self) -> bool:
        """The kernel may have room: go on. Tell whether it has taken everything."""
        if not self.flush():
            return False
        if self._told:
            self._end()
        return True

    def shutdown(self, how: int) -> None:
        """Send close_notify, and a FIN once the kernel has taken that."""
        if self._told or how != _SHUT_WR:
            return
        self._told, self.usual = True, False
        if not self.shaking and not self.failure:
            self._drain()
            with suppress(OSError):  # ours is queued; the other side's may arrive later
                self._raw.shutdown()
        if self.flush():
            self._end()

    def _drain(self) -> None:
        """Decrypt what there is: `shutdown` expects the end, and fails on anything else."""
        if not self._in.pending and not self._raw.pending():
            return
        pieces = [self._kept]
        piece = bytearray(16 << 10)
        try:
            while count := self._raw.read(len(piece), piece):
                pieces.append(bytes(piece[:count]))
            self._ended = True  # for which there is no exception as long as ours is not sent
        except ssl.SSLZeroReturnError:
            self._ended = True
        except ssl.SSLError as error:
            if not isinstance(error, ssl.SSLWantReadError):
                self._lost(spoken(error))
        self._kept = b"".join(pieces)
        self.wake()

    def _end(self) -> None:
        _shut(self, _SHUT_WR)

    def _lost(self, why: str) -> None:
        self.usual = False
        if not self.failure:
            self.failure = why
        if self._out.pending:
            try:
                self.flush()  # the alert
            except OSError:
                self.behind = b""


def _nothing() -> None:
    pass
