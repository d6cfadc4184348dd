"""A non-blocking socket with TLS: the methods that a session calls on a socket do the same here,
with decrypted bytes.

The handshake, the identity of the other side and dialects are here; how bytes are encrypted and
decrypted, and how each direction ends, is in `records`.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable

from ambassador.core.identity import Names
from ambassador.tls.contexts import ALPN
from ambassador.tls.dialect import Dialect
from ambassador.tls.hello import is_whole, resumes, server_name
from ambassador.tls.records import LARGEST, NOTHING, Records
from ambassador.tls.shown import NOBODY, shown_by
from ambassador.tls.words import spoken

__all__ = ["TlsSocket"]

_PIECE = 64 << 10  # bytes that are encrypted before the kernel has taken them
# Bytes of a handshake that OpenSSL gets in one go: its buffer keeps a third more than the largest
# of them for as long as the session, and the largest flight has 1.3 KB.
_FLIGHT = 640
_RECORD = 16 << 10  # of one record (RFC 8446, section 5.1)
_OURS = ALPN.encode()
_transmit = socket.SocketType.send


class TlsSocket(Records):
    """Takes over `sock`. `names` are those of the other side, once `handshake` is complete."""

    __slots__ = (
        "_early", "_first", "_fresh", "_listens", "asked_for", "dialect", "hello", "judge",
        "remember", "resumed", "shown", "side", "unwanted", "waits",
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
        self.hello: bytes | None = None  # the client's first bytes, while its host name is needed
        self.asked_for = ""  # that name
        self._listens = accepts  # the other side has to send something first
        self._first: bytes | None = b"" if accepts else None  # see _without_ticket
        self.waits = False  # the handshake does not begin before the client has sent something
        self._fresh = False  # bytes that came with the end of the handshake are not read yet
        self._early = b""  # bytes to send after the handshake
        self.shown = NOBODY  # the identity that the other side has shown
        self.unwanted = False  # it is refused because of its names
        self.resumed = False
        self.judge: Callable[[TlsSocket], str] | None = None  # why the other side is refused
        self.remember: Callable[[ssl.SSLSession], None] | None = None  # gets what to resume by
        self.dialect: Dialect | None = None
        self.side: Callable[..., object] | None = None  # carries this socket; see planes.relay.side

    def handshake(self) -> bool:
        """Go on with the handshake; tell whether it is complete. Raises OSError where it fails."""
        rest = NOTHING
        while True:
            if self._listens:
                if not rest:
                    if (count := self._asked(self._room[0], LARGEST)) is None:
                        self.flush()
                        return False
                    if not count:
                        text = self.failure = "it closed the connection in the handshake"
                        raise ConnectionResetError(errno.ECONNRESET, text)
                    if self.hello is not None:
                        self._note(count)
                    rest = self._room[1][:count]
                    if self._first is not None:
                        self._without_ticket(bytes(rest))
                self._in.write(rest[:_FLIGHT])
                rest = rest[_FLIGHT:]
            self._listens = True
            try:
                self._raw.do_handshake()
            except ssl.SSLWantReadError:
                if self._first and not rest:
                    rest = self._with_ticket(self._first)
                    continue
                self.flush()
                continue
            except (ssl.SSLError, ssl.CertificateError) as error:
                self.failure = spoken(error)
                self.flush()  # an alert tells the other side why
                raise ConnectionAbortedError(errno.ECONNABORTED, self.failure) from error
            break
        if rest:  # more has come with the end of the handshake
            self._in.write(rest)
        self._met()
        return True

    def _without_ticket(self, first: bytes) -> None:
        """Give no ticket to a client that resumes and will use its own again, as another ambassador
        does: OpenSSL 3.0 decodes the client's certificate once more to make one.
        """
        self._first = None
        if resumes(first, _OURS):
            self._first = first
            self._begin(tickets=0)

    def _with_ticket(self, first: bytes) -> memoryview:
        """The message `first` was answered. If the client's session cannot be resumed, begin anew:
        return `first`, and the answer is dropped.
        """
        self._first = None
        if self._raw.session_reused:
            self.flush()
            return NOTHING
        self._begin()
        return memoryview(first)

    def _begin(self, tickets: int | None = None) -> None:
        """Have OpenSSL begin as the server, with so many `tickets` to give."""
        context = self._raw.context
        usual: int = context.num_tickets
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        context.num_tickets = usual if tickets is None else tickets
        try:  # the object of OpenSSL takes the number over (SSL_CTX_set_num_tickets(3))
            self._raw = context._wrap_bio(self._in, self._out, True)
        finally:
            context.num_tickets = usual

    def _note(self, count: int) -> None:
        """Look for the host name in `count` more bytes."""
        self.hello = hello = (self.hello or b"") + bytes(self._room[1][:count])
        if is_whole(hello):
            self.asked_for, self.hello = server_name(hello), None

    def _met(self) -> None:
        self.resumed = bool(self._raw.session_reused)
        self.shown = shown_by(self._raw)
        if self.judge is not None and (why := self.judge(self)):
            # Nothing is sent: the bytes that OpenSSL has queued would report success.
            self.failure, self.unwanted = why, True
            raise ConnectionAbortedError(errno.ECONNABORTED, why)
        self.shaking, self.judge = False, None
        if self.resumed:  # what it was resumed by can be used again
            self.remember = None
        self._fresh = True
        self._heard = self._in.pending > 0
        if self._early:
            self._encrypt(self._early, len(self._early))
            self._early = b""
        self.flush()

    @property
    def names(self) -> Names:
        """The names in the other side's certificate, where that is verified."""
        return self.shown.names

    @property
    def version(self) -> str:
        """The version of TLS, such as `TLSv1.3`."""
        return self._raw.version() or ""

    @property
    def alpn(self) -> str:
        """The protocol name that both sides have agreed on; empty: none."""
        return self._raw.selected_alpn_protocol() or ""

    @property
    def has_more(self) -> bool:
        """Whether there is something to read, an end included, without an event."""
        return bool(self._kept or self._ended or self.failure or self._fresh)

    def recv_into(self, buffer: bytearray | memoryview, most: int = 0) -> int:  # type: ignore[override]
        """Read decrypted bytes, as recv(2) does; fewer than `most` are all there are. Raises
        BlockingIOError where there are none, ConnectionResetError where the connection has ended
        without close_notify.
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
            self.remember = None  # no ticket follows: tickets come before the first bytes
        inside = self._in.pending or self._raw.pending()
        self.usual = self.remember is None and not (self._ended or self.failure or inside)
        return count

    def learn(self) -> bool:
        """Call `remember` with the ticket, where it has arrived; tell whether it has. It arrives
        alone or before the first bytes.
        """
        if self.remember is None:
            return True
        # Python copies the session that is asked for, which takes as long as half a handshake.
        if not self._heard or (found := self._raw.session) is None or not found.has_ticket:
            return False
        self.remember(found)
        self.remember = None
        return True

    def _look(self) -> None:
        """Raise ConnectionResetError unless the other side is still connected, and has sent
        nothing.
        """
        try:
            socket.SocketType.recv(self, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        self._lost("it closed the connection, or said something, before TLS was asked for")
        raise ConnectionResetError(errno.ECONNRESET, self.failure)

    def start(self) -> None:
        """Begin the handshake, which has waited."""
        self.waits = False
        self.handshake()

    def _through(self, view: memoryview, most: int) -> int:
        """Read through the dialect."""
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
        """Have `data` read next, as if the other side had sent it."""
        if data:
            self._kept += data
            self.usual = False
            self.wake()

    def recv(self, most: int, flags: int = 0) -> bytes:
        """Return decrypted bytes; with MSG_PEEK they stay. See recv_into."""
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
        """Encrypt and send bytes; return how many. Raises BlockingIOError while the kernel has no
        room for the bytes before.
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
        """Send all of `data`, which is short; what the kernel does not take is sent later."""
        if self.shaking:
            self._early += data
        elif data:
            self._encrypt(data, len(data))
            self.flush()
