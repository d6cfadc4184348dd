"""The PROXY header that is sent to an endpoint before the bytes of the client."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from ambassador.core.proxy.header import Header
from ambassador.core.proxy.writing import place_of, tls_value, write, write_local

if TYPE_CHECKING:
    from ambassador.planes.relay.session import Session
    from ambassador.planes.relay.side import Side

__all__ = ["introduce", "send_local"]

_RUN = os.urandom(8).hex()  # tells apart runs, which may have the same ids of sessions


def introduce(session: Session, version: int, upstream: Side) -> None:
    """Send the header of `version` to `upstream`, which is connected and not joined yet."""
    data = write(version, header_of(session))
    try:
        sent = upstream.sock.send(data)
    except OSError:  # it is reset: the poller reports it; a new connection is never full
        sent = 0
    if sent < len(data):
        upstream.unsent = bytearray(data[sent:])
        upstream.poller.memory.add(len(data) - sent)


def header_of(session: Session) -> Header:
    """Return the header for `session`: its facts are those of the header that the client has sent,
    if there was one. The unique id ends with the id of the session in the access log.
    """
    found = session.header or Header()
    if found.source is None or found.destination is None:
        own: object = None
        with suppress(OSError):
            own = session.client.sock.getsockname()
        found = replace(found, source=place_of(session.address), destination=place_of(own))
    sock = session.client.sock
    return replace(
        found,
        alpn=found.alpn or getattr(sock, "alpn", "").encode(),
        authority=found.authority or getattr(sock, "asked_for", "").encode(),
        unique_id=found.unique_id or f"{_RUN}-{session.id}".encode(),
        tls=found.tls or _shown(sock),
    )


def _shown(sock: socket.SocketType) -> bytes:
    """Return TLS version and identity of the client at `sock`; empty where it speaks no TLS."""
    version = getattr(sock, "version", "")
    if not version:
        return b""
    names = getattr(sock, "names", None)
    return tls_value(version, str(names) if names is not None and names.all else "")


def send_local(sock: socket.SocketType, version: int) -> None:
    """Send the header of a connection without a client (LOCAL) on `sock`, which is connected."""
    with suppress(OSError):
        own, peer = sock.getsockname(), sock.getpeername()
        sock.send(write_local(version, own, peer))
