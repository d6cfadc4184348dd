"""Our identity and the authorities that we trust in TLS: what is in force, and how it is renewed.

A new identity is checked before it replaces the one in force; one that makes no sense, or is not
valid now, does not replace it. Open sessions go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ambassador.core.identity import is_at, may_come_in
from ambassador.errors import ConfigError, Problem
from ambassador.model import Endpoint, Inet, Route, Tls, Verify
from ambassador.spec import is_ip
from ambassador.spec.variable import format_option

if TYPE_CHECKING:
    import socket
    import ssl

    from ambassador.tls.bundle import Bundle
    from ambassador.tls.opening import Opening
    from ambassador.tls.stream import TlsSocket

__all__ = ["Keyring"]

_Key: TypeAlias = tuple[str, str, int, Tls, bool]  # host, address, port, options, named
_Sessions: TypeAlias = "dict[_Key, ssl.SSLSession]"

_MOST_SESSIONS = 1024  # that can be resumed, one for each address
_WITH_NAMES = 2  # the version of a PROXY header that has room for the host name asked for
_ANEW = 600.0  # seconds after which a session is no longer resumed, long before it expires
_MAKE = "ambassador pair big-server client-server"


class Keyring:
    """The identity at `where`, the value of AMBASSADOR_IDENTITY, which may be empty. `ssl` is
    imported with the first use.
    """

    def __init__(self, where: str = "", *, clock: Callable[[], float] = time.time) -> None:
        self.where = where
        self._clock = clock
        self._bundle: Bundle | None = None
        self._listening: dict[Tls, ssl.SSLContext] = {}
        self._clients: dict[tuple[Tls, bool], ssl.SSLContext] = {}
        self._sessions: _Sessions = {}

    @property
    def bundle(self) -> Bundle:
        """The identity in force. Raises ConfigError where none could be read yet."""
        if self._bundle is None:
            self._bundle = self.read()
        return self._bundle

    @property
    def files(self) -> list[Path]:
        """The files of the identity."""
        if not self.where:
            return []
        from ambassador.tls.bundle import files_of  # noqa: PLC0415 (ssl)

        return files_of(self.where)

    def use(self, found: Bundle) -> None:
        """Use `found` for new sessions."""
        self._bundle = found
        self._listening.clear()
        self._clients.clear()
        self._sessions = {}  # connections that have begun still use the old dictionary

    def demand(self, route: Route) -> None:
        """Raise ConfigError where `route` needs an identity that is missing, or where its `peers`
        cannot be checked.
        """
        where = route.origin or f"route {route.name}"
        if route.tls is not None and not self._proves():
            what = "listens with tls:// and there is no identity to show"
            expected = f"AMBASSADOR_IDENTITY with what `{_MAKE}` makes"
            example = "AMBASSADOR_IDENTITY=/run/secrets/ambassador.pem"
            raise ConfigError(Problem(where, what, "", expected, example))
        if self.where:
            _ = self.bundle
        if not route.peers:
            return
        example = format_option(route, "listen", "tls://:6379")
        if route.tls is None:
            what = "peers says which identities may come in, and it does not listen with tls://"
        elif route.tls.verify is not Verify.BOTH:
            what = f"peers says which identities may come in, and verify={route.tls.verify} asks "
            what += "clients for none"
        elif not self.bundle.authority:
            what = "peers says which identities may come in, and the identity has no authority to "
            what += "judge them by"
            example = _MAKE
        else:
            return
        raise ConfigError(Problem(where, what, ",".join(route.peers), "", example))

    def accept(self, sock: socket.socket | socket.SocketType, route: Route) -> TlsSocket:
        """Return `sock`, the connection of a client of `route`, as a TLS socket. Raises OSError."""
        from ambassador.tls.stream import TlsSocket  # noqa: PLC0415 (ssl)

        assert route.tls is not None
        found = TlsSocket(sock, self._for_clients(route.tls), accepts=True)
        if any(one.proxy == _WITH_NAMES for one in route.endpoints):
            found.hello = b""
        found.judge = partial(_refusal, route.let_in, self._clock)
        return found

    def open(self, sock: socket.SocketType, endpoint: Endpoint, address: str) -> Opening:
        """Return the start of TLS with `endpoint`; `sock` is connected to it at the IP literal
        `address`. Raises OSError.
        """
        from ambassador.tls.opening import Opening  # noqa: PLC0415 (ssl)
        from ambassador.tls.starttls import STARTS  # noqa: PLC0415

        tls, where = endpoint.tls, endpoint.address
        assert tls is not None
        assert isinstance(where, Inet)
        start = STARTS[tls.starttls]() if tls.starttls else None
        return Opening(sock, partial(self._secret, tls, where, address), start)

    def _secret(self, tls: Tls, where: Inet, address: str, sock: socket.SocketType) -> TlsSocket:
        from ambassador.tls.stream import TlsSocket  # noqa: PLC0415 (ssl)

        bundle = self.bundle if self.where else _nobody()
        # A bundle of `pair` names the other side, whatever its address.
        named = not (is_ip(where.host) and bundle.peer and bundle.authority)
        context = self._clients.get((tls, named))
        if context is None:
            from ambassador.tls.contexts import for_endpoint  # noqa: PLC0415 (ssl)

            context = self._clients[tls, named] = for_endpoint(tls, bundle, named=named)
        host = where.host.partition("%")[0].removesuffix(".")
        # A resumed session is not verified again, so the key has the name and the context.
        key = host, address, where.port, tls, named
        session = self._sessions.get(key)
        if session is not None and self._clock() - session.time >= _ANEW:
            session = None
        found = TlsSocket(sock, context, accepts=False, host=host, session=session)
        found.remember = partial(_remember, self._sessions, key)
        if not named and tls.verify is not Verify.NONE:
            found.judge = partial(_misplaced, where, bundle.peer)
        return found

    def forget(self, endpoint: Endpoint) -> None:
        """Drop the sessions to resume with `endpoint`, which has refused us, and with others of the
        same `tls`.
        """
        for key in [one for one in self._sessions if one[3] == endpoint.tls]:
            del self._sessions[key]

    def _for_clients(self, tls: Tls) -> ssl.SSLContext:
        context = self._listening.get(tls)
        if context is None:
            from ambassador.tls.contexts import for_clients  # noqa: PLC0415 (ssl)

            context = self._listening[tls] = for_clients(tls, self.bundle)
        return context

    def _proves(self) -> bool:
        return bool(self.where) and self.bundle.proves

    def read(self) -> Bundle:
        """Return what the files contain now. Raises ConfigError: also where the certificate has
        expired, or is not valid yet.
        """
        from ambassador.tls.bundle import load  # noqa: PLC0415 (ssl)

        found, now = load(self.where), self._clock()
        if found.proves and not found.begins <= now < found.expires:
            verb = "has expired" if now >= found.expires else "is not valid yet"
            when = found.expires if now >= found.expires else found.begins
            raise ConfigError(
                Problem(
                    "AMBASSADOR_IDENTITY",
                    f"the certificate of {found.names} {verb} ({_moment(when)})",
                    self.where,
                    "a certificate that is valid now",
                    f"ambassador pair --renew {self.where}",
                )
            )
        return found


def _remember(sessions: _Sessions, key: _Key, session: ssl.SSLSession) -> None:
    sessions.pop(key, None)
    sessions[key] = session
    if len(sessions) > _MOST_SESSIONS:
        del sessions[next(iter(sessions))]


def _refusal(peers: Iterable[str], clock: Callable[[], float], sock: TlsSocket) -> str:
    """Return why the client behind `sock` may not come in."""
    if not may_come_in(sock.names.all, peers):
        return f"the identity {sock.names} is not among peers"
    if sock.resumed and clock() >= sock.shown.until:  # a resumed session is not verified again
        return "its certificate has expired"
    return ""


def _misplaced(where: Inet, peer: str, sock: TlsSocket) -> str:
    """Return why the other side is not the endpoint."""
    if is_at(where.host, sock.names, peer):
        return ""
    shown = ", ".join(sock.names.all) or "nobody"
    return f"its certificate is of {shown}, not of {where.host} nor of {peer}"


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def _nobody() -> Bundle:
    from ambassador.tls.bundle import Bundle  # noqa: PLC0415 (ssl)

    return Bundle("")
