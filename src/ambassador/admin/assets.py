"""The files of the page, as they are served: imported with the first request for one.

Nothing in them is secret, and nothing is loaded from elsewhere. The policy says so to the browser
(Content Security Policy Level 3), which then also runs no script that is hidden in a name or an
error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ambassador import __version__

__all__ = ["HEADERS", "Asset", "asset"]

_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",  # the browser asks each time; 304 if the file is the same
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its bytes, its media type, and a tag that differs if the bytes differ."""

    body: bytes
    kind: str
    tag: str


@cache
def asset(name: str, door: str) -> Asset | None:
    """Return the file `name` of the page (empty: the page itself); None if there is no such file.
    `door` says how the page gets access to the API: `token`, `link` or `open`.
    """
    name = name or "index.html"
    suffix = name[name.rfind(".") :]
    place = files("ambassador.admin") / "static"
    if suffix not in _KINDS or name not in {one.name for one in place.iterdir()}:
        return None
    body = (place / name).read_bytes()
    if name == "index.html":
        body = body.replace(b"%VERSION%", __version__.encode()).replace(b"%DOOR%", door.encode())
    return Asset(body, _KINDS[suffix], f'"{hashlib.sha256(body).hexdigest()[:20]}"')
