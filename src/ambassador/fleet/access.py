"""The addresses of etcd, and the login and certificates for it. Files are read each time: they may
be renewed.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from ambassador.errors import ConfigError, Problem
from ambassador.fleet.connection import AwayError, Url, words
from ambassador.tls.trust import trusting

__all__ = ["Access", "spoken"]

_LOOK = 1.0  # seconds to find out whether the port uses TLS


@dataclass(frozen=True, slots=True)
class Access:
    """The members of etcd, and how to log in."""

    members: tuple[Url, ...]
    ca: str = ""
    cert: str = ""
    key: str = ""
    user: str = ""
    password_file: str = field(default="", repr=False)

    def password(self) -> str:
        """Return the password, empty without a file. Raises ConfigError."""
        path = self.password_file
        if not path:
            return ""
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeError) as error:
            what = f"the password cannot be read: {words(error)}"
            example = "AMBASSADOR_ETCD_PASSWORD_FILE=/run/secrets/etcd"
            where = "AMBASSADOR_ETCD_PASSWORD_FILE"
            raise ConfigError(
                Problem(where, what, path, "a file that can be read", example)
            ) from None

    def context(self, url: Url) -> ssl.SSLContext | None:
        """Return the TLS context for `url`, None where it is in clear. Raises ConfigError."""
        if not url.tls:
            return None
        try:
            context = trusting(self.ca or None)
        except (OSError, ssl.SSLError) as error:
            raise _file("AMBASSADOR_ETCD_CA", self.ca, error, "/etc/etcd/ca.pem") from None
        if self.cert:
            try:
                context.load_cert_chain(self.cert, self.key or None)
            except (OSError, ssl.SSLError) as error:
                example = "/etc/etcd/client.pem"
                raise _file("AMBASSADOR_ETCD_CERT", self.cert, error, example) from None
        return context


async def spoken(error: AwayError, url: Url) -> str:
    """Return what the port of `url` uses, where that differs from what was written: `tls`, `plain`,
    or `certificate` (TLS, but only with a client certificate); empty where this is unknown.
    """
    cause = error.cause
    if cause is None or isinstance(cause, ConnectionRefusedError | ssl.SSLCertVerificationError):
        return ""
    if url.tls and await _answers(url, None, b"HTTP/"):
        return "plain"
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    found = await _answers(url, context, b"HTTP/")
    if not url.tls:
        return "" if found is None else "tls"
    return "certificate" if found is False else ""


async def _answers(url: Url, tls: ssl.SSLContext | None, beginning: bytes) -> bool | None:
    """Return whether the answer begins with `beginning`; None where no connection can be made."""
    try:
        async with asyncio.timeout(_LOOK):
            reader, writer = await asyncio.open_connection(url.host, url.port, ssl=tls)
            try:
                writer.write(b"GET /version HTTP/1.0\r\n\r\n")
                try:
                    return await reader.readexactly(len(beginning)) == beginning
                except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
                    return False
            finally:
                writer.transport.abort()
    except (OSError, ssl.SSLError, TimeoutError):
        return None


def _file(where: str, path: str, error: BaseException, example: str) -> ConfigError:
    what = f"cannot be used: {words(error)}"
    return ConfigError(Problem(where, what, path, "a file in PEM form", f"{where}={example}"))
