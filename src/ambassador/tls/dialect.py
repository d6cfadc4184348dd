"""What has to be changed of what is said at the beginning, for a service that begins in clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ambassador.tls.stream import TlsSocket

__all__ = ["Dialect"]


class Dialect:
    """See tls.dialects. Each takes all there is, and returns what is passed on."""

    over = False  # nothing is changed any longer

    def said(self, data: bytes, sock: TlsSocket) -> bytes:
        """Return what the service gets of `data`, which the client has said."""
        return data

    def heard(self, data: bytes, sock: TlsSocket) -> bytes:
        """Return what the client gets of `data`, which the service has said."""
        return data
