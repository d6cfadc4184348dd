"""The start of TLS on a connection to an endpoint, before the first byte of a client: what the
service expects in clear, the handshake, and the sign that we may come in.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

from ambassador.tls.contexts import ALPN
from ambassador.tls.starttls import Start
from ambassador.tls.stream import TlsSocket

__all__ = ["Opening"]

_MOST = 64 << 10  # bytes that a service may send in clear


class Opening:
    """Uses `sock`, which is connected; after `secret` was called, it uses the TLS socket that this
    returns.
    """

    def __init__(
        self,
        sock: socket.SocketType,
        secret: Callable[[socket.SocketType], TlsSocket],
        start: Start | None,
    ) -> None:
        self.sock = sock
        self._secret = secret
        self._start = start
        self._heard = b""
        self._said = 0
        self._tls: TlsSocket | None = None

    def go_on(self) -> TlsSocket | None:
        """Go on as far as possible without waiting; return the socket when it may be used. Raises
        OSError where it fails.
        """
        if self._tls is None:
            if self._start is not None and not self._begun(self._start):
                return None
            self.sock = self._tls = self._secret(self.sock)
            if self._start is not None:
                self._tls.dialect = self._start.dialect()
                self._tls.keep(self._start.prelude)
                self._tls.waits = self._start.later
        if self._tls.waits:
            return self._tls
        tls = self._tls
        if tls.shaking and not tls.handshake():
            return None
        return tls if _is_welcome(tls) else None

    def _begun(self, start: Start) -> bool:
        """Exchange messages in clear; tell whether this is complete."""
        while True:
            say, over = start.step(self._heard)
            if len(say) > self._said:
                self._said += self.sock.send(say[self._said :])
            if over:
                return True
            try:
                # No more than one answer: bytes in clear after it could be mistaken for encrypted
                # ones.
                piece = self.sock.recv(_MOST)
            except BlockingIOError:
                return False
            if not piece:
                raise ConnectionResetError(
                    errno.ECONNRESET, "it closed the connection before TLS began"
                )
            self._heard += piece
            if len(self._heard) > _MOST:
                raise ConnectionAbortedError(errno.ECONNABORTED, "what it says does not end")


def _is_welcome(tls: TlsSocket) -> bool:
    """Tell whether another ambassador has let us in. In TLS 1.3 our handshake is complete before
    the other side has checked our certificate; its ticket shows that it has. Raises OSError where
    it closes the connection.
    """
    if tls.alpn != ALPN or tls.resumed or tls.version != "TLSv1.3" or tls.dialect is not None:
        return True
    try:
        tls.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return tls.learn()
    except OSError as error:
        if "close_notify" in tls.failure:
            tls.failure = "it does not let our identity in"
        raise ConnectionAbortedError(errno.ECONNABORTED, tls.failure or str(error)) from error
    return True
