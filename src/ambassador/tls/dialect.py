"""Changes to the first messages of a session, for a service that begins in clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ambassador.tls.stream import TlsSocket

__all__ = ["Dialect"]


class Dialect:
    """See tls.dialects. Each method takes all bytes there are, and returns those to pass on."""

    over = False  # nothing has to be changed any more

    def said(self, data: bytes, sock: TlsSocket) -> bytes:
        """Return what the service gets of `data`, which the client has sent."""
        return data

    def heard(self, data: bytes, sock: TlsSocket) -> bytes:
        """Return what the client gets of `data`, which the service has sent."""
        return data
