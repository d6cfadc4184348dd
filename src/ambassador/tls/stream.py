"""A socket that speaks TLS, used as one that does not wait: what a session calls of a socket means
the same here, on plain bytes.

Ends are exact. close_notify is the end of one direction (RFC 8446, section 6.1), as a FIN is: it is
sent for `shutdown`, and read as no bytes; the other direction stays open. A FIN without it is a
truncation, and reads as a reset.

OpenSSL works on memory here (`ssl.MemoryBIO`) and the kernel is asked once for what has come, not
for each record's head and body.
"""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

from ambassador.core.identity import Names
from ambassador.tls.dialect import Dialect
from ambassador.tls.hello import is_whole, server_name
from ambassador.tls.shown import NOBODY, shown_by
from ambassador.tls.words import spoken

__all__ = ["TlsSocket"]

_PIECE = 64 << 10  # plain bytes that are made secret before the kernel has taken them
_RECORD = 16 << 10  # of one record (RFC 8446, section 5.1)
_LARGEST = 256 << 10  # bytes of one read of the kernel
_SHUT_WR = socket.SHUT_WR
_receive, _transmit = socket.SocketType.recv_into, socket.SocketType.send
_shut = socket.SocketType.shutdown


class _Room(threading.local):
    """What the kernel fills: shared, since it is empty again after each read."""

    def __init__(self) -> None:
        self.raw = bytearray(_LARGEST)
        self.view = memoryview(self.raw)


_room = _Room()


class TlsSocket(socket.SocketType):
    """Takes over `sock`. `names` are the other side's once `handshake` is over."""

    __slots__ = (
        "_early", "_ended", "_fresh", "_heard", "_in", "_kept", "_out", "_raw", "_room", "_ssl",
        "_told", "_usual", "asked_for", "behind", "dialect", "failure", "hello", "judge",
        "remember", "remembers", "resumed", "shaking", "shown", "side", "unwanted", "waits", "wake",
    )  # fmt: skip

    def __init__(
        self,
        sock: socket.SocketType,
        context: ssl.SSLContext,
        *,
        accepts: bool,
        host: str | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(
            self._in, self._out, server_side=accepts, server_hostname=host, session=session
        )
        # What SSLObject wraps: a call of it less for each read and write.
        self._raw = self._ssl._sslobj  # type: ignore[attr-defined]
        self._room = _room.raw, _room.view
        family, kind, proto = sock.family, sock.type, sock.proto
        super().__init__(family, kind, proto, sock.detach())
        self.setblocking(False)
        self._kept = b""  # plain bytes that are read, and not taken yet
        self._ended = False  # the other side's close_notify was read
        self._told = False  # ours was sent
        self.behind: bytes | memoryview = b""  # secret bytes that the kernel has not taken
        self.hello: bytes | None = None  # the first that was said, where the name in it is wanted
        self.asked_for = ""  # that name
        self.shaking = True  # the handshake is not over
        self.waits = False  # it does not begin before the client has said something
        self._usual = False  # there are only bytes to carry, both ways
        self._heard = False  # something came after the handshake
        self._fresh = False  # what came with the end of the handshake has not been looked at
        self._early = b""  # plain bytes that follow the handshake
        self.failure = ""  # why it is over, where that was no end
        self.shown = NOBODY  # what the other side says who it is
        self.unwanted = False  # it is refused by its names
        self.resumed = False
        self.judge: Callable[[TlsSocket], str] | None = None  # why the other side is refused
        self.remember: Callable[[ssl.SSLSession], None] | None = None  # what to resume by
        self.remembers = False  # what this one is resumed by is good for others, too
        self.dialect: Dialect | None = None
        self.side: Callable[..., object] | None = None  # what carries it; see planes.relay.pair
        self.wake: Callable[[], None] = _nothing  # there is something to read that no event tells

    def handshake(self) -> bool:
        """Go on with it; tell whether it is over. Raises OSError where it fails."""
        while True:
            try:
                self._ssl.do_handshake()
            except ssl.SSLWantReadError:
                self.flush()
                count = self._receive()
                if count is None:
                    return False
                if not count:
                    text = self.failure = "it hung up in the handshake"
                    raise ConnectionResetError(errno.ECONNRESET, text) from None
                if self.hello is not None:
                    self._note(count)
                continue
            except (ssl.SSLError, ssl.CertificateError) as error:
                self.failure = spoken(error)
                self.flush()  # an alert tells the other side why
                raise ConnectionAbortedError(errno.ECONNABORTED, self.failure) from error
            break
        self._met()
        return True

    def _note(self, count: int) -> None:
        """Take the name that is asked for out of `count` bytes more."""
        self.hello = hello = (self.hello or b"") + bytes(self._room[1][:count])
        if is_whole(hello):
            self.asked_for, self.hello = server_name(hello), None

    def _met(self) -> None:
        self.resumed = bool(self._ssl.session_reused)
        self.shown = shown_by(self._ssl)
        if self.judge is not None and (why := self.judge(self)):
            # Nothing is sent: what OpenSSL has queued would say that all is well.
            self.failure, self.unwanted = why, True
            raise ConnectionAbortedError(errno.ECONNABORTED, why)
        self.shaking, self.judge = False, None
        if self.resumed and self.remembers:
            self.remember = None
        self._fresh = True
        self._heard = self._in.pending > 0
        if self._early:
            self._encrypt(self._early, len(self._early))
            self._early = b""
        self.flush()

    @property
    def names(self) -> Names:
        """Those of the other side's certificate, where that is verified."""
        return self.shown.names

    @property
    def version(self) -> str:
        """`TLSv1.3`, for one."""
        return self._ssl.version() or ""

    @property
    def alpn(self) -> str:
        """The protocol both have agreed on; empty: none."""
        return self._ssl.selected_alpn_protocol() or ""

    @property
    def has_more(self) -> bool:
        """Whether there is something to read, an end included, that no event will tell."""
        if self._usual and not self._kept:  # nearly always
            return False
        return bool(self._kept or self._ended or self.failure or self._fresh)

    def recv_into(self, buffer: bytearray | memoryview, most: int = 0) -> int:  # type: ignore[override]
        """Read plain bytes, as recv(2) does; fewer than `most` are all there are. Raises
        BlockingIOError where there are none, ConnectionResetError where the other side has hung up
        without an end.
        """
        if self._usual and not self._kept:
            return self._read(buffer, most or len(buffer))
        most = most or len(buffer)
        if self._kept:
            count = min(most, len(self._kept))
            memoryview(buffer)[:count] = self._kept[:count]
            self._kept = self._kept[count:]
            return count
        if self.shaking and (self.waits or not self.handshake()):
            if self.waits:
                self._look()
            raise BlockingIOError(errno.EAGAIN, "")
        if self.dialect is not None:
            return self._through(memoryview(buffer), most)
        self._fresh = False
        count = self._read(buffer, most)
        if not self.learn():
            self.remember = None  # it gives none: those that do begin with it
        self._usual = self.remember is None and not (self._ended or self.failure)
        return count

    def learn(self) -> bool:
        """Have what another connection can be resumed by remembered, where that has come; tell
        whether it has. It arrives alone or before the first bytes.
        """
        if self.remember is None:
            return True
        # Python copies what it is asked for, which takes as long as half a handshake.
        if not self._heard or (found := self._ssl.session) is None or not found.has_ticket:
            return False
        self.remember(found)
        self.remember = None
        return True

    def _read(self, buffer: bytearray | memoryview, most: int) -> int:
        """Read from OpenSSL all it has, then from the kernel, until neither has more or `buffer` is
        full.
        """
        raw, inside = self._raw, self._in
        room = most if most < _LARGEST else _LARGEST
        filled, drained = 0, False
        while filled < most and not self._ended:
            if not inside.pending and not raw.pending():  # the kernel has to be asked
                if drained or not (got := self._receive(room)):
                    if not drained and got is not None:
                        self._lost("the connection was cut off: its end came without close_notify")
                    break
                drained = got < room
                self._heard = True
            try:
                if not filled:
                    count = raw.read(most, buffer)
                else:
                    with memoryview(buffer)[filled:most] as rest:
                        count = raw.read(most - filled, rest)
            except ssl.SSLWantReadError:  # a part of a record
                continue
            except ssl.SSLZeroReturnError:
                count = 0
            except ssl.SSLError as error:
                self._lost(spoken(error))
                break
            if not count:  # its end; where ours was sent, too, that is SSLZeroReturnError
                self._ended, self._usual = True, False
                break
            filled += count
        if self._out.pending:  # an answer to a change of keys
            self.flush()
        return filled or self._nothing_read()

    def _nothing_read(self) -> int:
        if self.failure:
            raise ConnectionResetError(errno.ECONNRESET, self.failure)
        if self._ended:
            return 0
        raise BlockingIOError(errno.EAGAIN, "")

    def _look(self) -> None:
        """Raise ConnectionResetError unless the other side is still there, and says nothing."""
        try:
            socket.SocketType.recv(self, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        self._lost("it hung up, or spoke, before it was asked for TLS")
        raise ConnectionResetError(errno.ECONNRESET, self.failure)

    def start(self) -> None:
        """Begin with the handshake, which has waited."""
        self.waits = False
        self.handshake()

    def _through(self, view: memoryview, most: int) -> int:
        """Read what the dialect has to see first."""
        assert self.dialect is not None
        count = self._read(view, most)
        if not count:
            return 0
        self._kept = self.dialect.heard(bytes(view[:count]), self)
        if self.dialect.over:
            self.dialect = None
        if count == most:
            self.wake()
        if not self._kept:
            raise BlockingIOError(errno.EAGAIN, "")
        count = min(most, len(self._kept))
        view[:count] = self._kept[:count]
        self._kept = self._kept[count:]
        return count

    def keep(self, data: bytes) -> None:
        """Have `data` read next, as if the other side had said it."""
        if data:
            self._kept += data
            self.wake()

    def recv(self, most: int, flags: int = 0) -> bytes:
        """Return plain bytes; with MSG_PEEK they stay. See recv_into."""
        if len(self._kept) < most:
            before, self._kept = self._kept, b""
            piece = memoryview(bytearray(max(most, 16 << 10)))
            try:
                before += bytes(piece[: self.recv_into(piece)])
            except OSError:
                if not before:
                    raise
            self._kept = before + self._kept
        found = self._kept[:most]
        if not flags & socket.MSG_PEEK:
            self._kept = self._kept[most:]
        return found

    def send(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        """Take plain bytes; return how many. Raises BlockingIOError while the kernel has no room
        for what was taken before.
        """
        total = len(data)
        if self._usual and not self.behind and total <= _RECORD:  # nearly always
            try:
                done = self._raw.write(data)
            except ssl.SSLError as error:
                raise ConnectionResetError(errno.ECONNRESET, spoken(error)) from error
            if done == total:
                secret = self._out.read()
                try:
                    count = _transmit(self, secret)
                except BlockingIOError:
                    count = 0
                if count < len(secret):
                    self.behind = memoryview(secret)[count:]
                return total
            self._encrypt(memoryview(data)[done:], total - done)
            self.flush()
            return total
        if self.dialect is not None:
            passed = self.dialect.said(bytes(data), self)
            if self.dialect is not None and self.dialect.over:
                self.dialect = None
            self._kept_to_send(passed)
            return total
        if self.behind and not self.flush():
            raise BlockingIOError(errno.EAGAIN, "")
        if self.shaking and not self.handshake():
            raise BlockingIOError(errno.EAGAIN, "")
        if total <= _PIECE:
            self._encrypt(data, total)
            self.flush()
            return total
        done = 0
        with memoryview(data) as view:
            while done < total:
                end = min(done + _PIECE, total)
                with view[done:end] as piece:
                    self._encrypt(piece, end - done)
                done = end
                if not self.flush():
                    break
        return done

    def _kept_to_send(self, data: bytes) -> None:
        """Send all of `data`, which is little; what the kernel does not take stays behind."""
        if self.shaking:
            self._early += data
        elif data:
            self._encrypt(data, len(data))
            self.flush()

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
        """Have the kernel take what is secret already; tell whether it has taken all. Raises
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
            if self.shaking or self._told:  # what comes before tells why
                return True
            raise
        if count == len(behind):
            self.behind = b""
            return True
        self.behind = memoryview(behind)[count:]
        return False

    def shutdown(self, how: int) -> None:
        """Send close_notify, and the FIN behind it once the kernel has taken that."""
        if self._told or how != _SHUT_WR:
            return
        self._told, self._usual = True, False
        if not self.shaking and not self.failure:
            self._drain()
            with suppress(OSError):  # ours is queued; the other side's may take its time
                self._ssl.unwrap()
        if self.flush():
            self._end()

    def taken(self) -> bool:
        """The kernel may have room: go on. Tell whether nothing is behind any longer."""
        if not self.flush():
            return False
        if self._told:
            self._end()
        return True

    def _end(self) -> None:
        _shut(self, _SHUT_WR)

    def _drain(self) -> None:
        """Make plain what is there: `unwrap` looks for an end, and fails on anything else."""
        if not self._in.pending and not self._ssl.pending():
            return
        pieces = [self._kept]
        piece = bytearray(16 << 10)
        try:
            while count := self._raw.read(len(piece), piece):
                pieces.append(bytes(piece[:count]))
            self._ended = True  # of which nothing is raised as long as ours is not sent
        except ssl.SSLZeroReturnError:
            self._ended = True
        except ssl.SSLError as error:
            if not isinstance(error, ssl.SSLWantReadError):
                self._lost(spoken(error))
        self._kept = b"".join(pieces)
        self.wake()

    def _receive(self, most: int = _LARGEST) -> int | None:
        """Read from the kernel; return how many bytes, None where there are none now."""
        raw, view = self._room
        try:
            count = _receive(self, raw, most)
        except BlockingIOError:
            return None
        if count:
            self._in.write(view[:count])
        return count

    def _lost(self, why: str) -> None:
        self._usual = False
        if not self.failure:
            self.failure = why
        if self._out.pending:
            try:
                self.flush()  # the alert
            except OSError:
                self.behind = b""


def _nothing() -> None:
    pass
