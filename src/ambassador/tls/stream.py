"""A socket that speaks TLS, used as one that does not wait: what a session calls of a socket means
the same here, on plain bytes.

The handshake, who the other side is and what a dialect changes are here; how bytes become secret
and plain, and how each direction ends, is in `records`.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable

from ambassador.core.identity import Names
from ambassador.tls.dialect import Dialect
from ambassador.tls.hello import is_whole, server_name
from ambassador.tls.records import Records
from ambassador.tls.shown import NOBODY, shown_by
from ambassador.tls.words import spoken

__all__ = ["TlsSocket"]

_PIECE = 64 << 10  # plain bytes that are made secret before the kernel has taken them
_RECORD = 16 << 10  # of one record (RFC 8446, section 5.1)
_transmit = socket.SocketType.send


class TlsSocket(Records):
    """Takes over `sock`. `names` are the other side's once `handshake` is over."""

    __slots__ = (
        "_early", "_fresh", "_listens", "asked_for", "dialect", "hello", "judge", "remember",
        "remembers", "resumed", "shown", "side", "unwanted", "waits",
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
        super().__init__(sock, context, accepts=accepts, host=host, session=session)
        self.hello: bytes | None = None  # the first that was said, where the name in it is wanted
        self.asked_for = ""  # that name
        self._listens = accepts  # the other side has to say something first
        self.waits = False  # it does not begin before the client has said something
        self._fresh = False  # what came with the end of the handshake has not been looked at
        self._early = b""  # plain bytes that follow the handshake
        self.shown = NOBODY  # what the other side says who it is
        self.unwanted = False  # it is refused by its names
        self.resumed = False
        self.judge: Callable[[TlsSocket], str] | None = None  # why the other side is refused
        self.remember: Callable[[ssl.SSLSession], None] | None = None  # what to resume by
        self.remembers = False  # what this one is resumed by is good for others, too
        self.dialect: Dialect | None = None
        self.side: Callable[..., object] | None = None  # what carries it; see planes.relay.side

    def handshake(self) -> bool:
        """Go on with it; tell whether it is over. Raises OSError where it fails."""
        while True:
            if self._listens:
                count = self._receive()
                if count is None:
                    self.flush()
                    return False
                if not count:
                    text = self.failure = "it closed the connection in the handshake"
                    raise ConnectionResetError(errno.ECONNRESET, text)
                if self.hello is not None:
                    self._note(count)
            self._listens = True
            try:
                self._ssl.do_handshake()
            except ssl.SSLWantReadError:
                self.flush()
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
        return bool(self._kept or self._ended or self.failure or self._fresh)

    def recv_into(self, buffer: bytearray | memoryview, most: int = 0) -> int:  # type: ignore[override]
        """Read plain bytes, as recv(2) does; fewer than `most` are all there are. Raises
        BlockingIOError where there are none, ConnectionResetError where the other side has hung up
        without an end.
        """
        if self.usual:  # nearly always
            return self._read_usual(buffer, most or len(buffer))
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
        inside = self._in.pending or self._raw.pending()
        self.usual = self.remember is None and not (self._ended or self.failure or inside)
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

    def _look(self) -> None:
        """Raise ConnectionResetError unless the other side is still there, and says nothing."""
        try:
            socket.SocketType.recv(self, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        self._lost("it closed the connection, or said something, before TLS was asked for")
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
            self.usual = False
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
        self.usual = False
        found = self._kept[:most]
        if not flags & socket.MSG_PEEK:
            self._kept = self._kept[most:]
        return found

    def send(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        """Take plain bytes; return how many. Raises BlockingIOError while the kernel has no room
        for what was taken before.
        """
        total = len(data)
        if self.usual and not self.behind and total <= _RECORD:  # nearly always
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
