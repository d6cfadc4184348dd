"""The page, served by the process of `ambassador page` on 127.0.0.1, to browsers with its link.

Every user of the host can connect there, and every web page in the browser can try to. So a link
works once, and gives its tab a key that no other origin can read. The key is in no cookie: the
browser sends cookies of 127.0.0.1 to every port, whatever program listens there. The Host and the
Origin of a request are checked before anything else (DNS rebinding, cross-site requests).
"""

from __future__ import annotations

import hmac
import json
import secrets
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from ambassador.admin import client
from ambassador.admin.assets import HEADERS, asset
from ambassador.admin.operations import ASKED
from ambassador.errors import RunError

__all__ = ["Keys", "LoopbackPage"]

_GOOD = 600.0  # seconds for which an unused link is valid
_MOST_BODY = 256 << 10  # bytes, the limit of the API
_QUIET = 60.0  # seconds until a connection without a request is closed
_PREFIX = "/page/"
_FORWARDED = ("/v1/", "/openapi.json", "/healthz", "/readyz", "/metrics")

USED = (
    "this link was used already, or is too old: each works once. Press Enter where `ambassador "
    "page` runs, or type it again, for another"
)
NO_KEY = "this tab has no key: open the link that `ambassador page` prints, which works once"
ELSEWHERE = "this page has another host name than that of its link: open the link as it is printed"
FOREIGN = "the request comes from a page of another origin, and is refused"


class Keys:
    """Links that were printed and not used yet, and the keys of tabs."""

    def __init__(self) -> None:
        self._links: dict[str, float] = {}  # until when each is valid
        self._keys: set[str] = set()

    def link(self, now: float) -> str:
        """Return the token of a new link."""
        token = secrets.token_urlsafe(24)
        self._links[token] = now + _GOOD
        return token

    def redeem(self, token: str, now: float) -> str:
        """Return the key for `token`, once; empty if the token is not valid any longer."""
        found = next((one for one in self._links if _same(one, token)), "")
        if not found or self._links.pop(found) < now:
            return ""
        key = secrets.token_urlsafe(32)
        self._keys.add(key)
        return key

    def good(self, key: str) -> bool:
        """Return whether `key` is the key of a tab."""
        return any(_same(one, key) for one in self._keys)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode(errors="replace"))


class LoopbackPage(ThreadingHTTPServer):
    """Serves the page for the ambassador whose admin socket is at `admin`; port 0: any free port.
    Raises OSError.
    """

    daemon_threads = True

    def __init__(self, admin: Path, port: int = 0) -> None:
        self.admin = admin
        self.keys = Keys()
        super().__init__(("127.0.0.1", port), _Connection)

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self.server_address[1])

    def link(self) -> str:
        """Return a link that works once."""
        token = self.keys.link(time.monotonic())
        return f"http://127.0.0.1:{self.port}/?token={token}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing when a browser disconnects before the end of an answer."""


class _Connection(BaseHTTPRequestHandler):
    server: LoopbackPage
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "ambassador", ""
    timeout = _QUIET

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > _MOST_BODY:
            self.close_connection = True
            self._say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", "the body is too large")
            return
        self._answer(self.rfile.read(int(length)))

    def _answer(self, body: bytes) -> None:
        address = urlsplit(self.path)
        is_file = self.command == "GET" and (
            address.path == "/" or address.path.startswith(_PREFIX)
        )
        if why := self._refusal(is_file=is_file):
            self._say(HTTPStatus.FORBIDDEN, "foreign", why)
        elif is_file:
            self._file(address.path, parse_qs(address.query).get("token", [""])[0])
        elif not self._has_key():
            self._say(HTTPStatus.UNAUTHORIZED, "unauthorized", NO_KEY)
        elif not address.path.startswith(_FORWARDED):
            self._say(HTTPStatus.NOT_FOUND, "path", "there is no such path")
        else:
            self._forward(body)

    def _refusal(self, *, is_file: bool) -> str:
        """Return why the request is refused, even with a key; empty if it is not."""
        own = {f"{name}:{self.server.port}" for name in ("127.0.0.1", "localhost")}
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        if host not in own:
            return ELSEWHERE
        site = self.headers.get("Sec-Fetch-Site", "same-origin")
        # other pages may link to the files: these have no data in them without a token
        if (origin is not None and origin != f"http://{host}") or (
            not is_file and site not in ("same-origin", "none")
        ):
            return FOREIGN
        return ""

    def _has_key(self) -> bool:
        scheme, _, key = self.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.server.keys.good(key.strip())

    def _file(self, path: str, token: str) -> None:
        found = asset(path.removeprefix(_PREFIX).removeprefix("/"), "link")
        if found is None:
            self._say(HTTPStatus.NOT_FOUND, "path", "there is no such file of the page")
            return
        body, key = found.body, ""
        if path == "/" and token:
            key = self.server.keys.redeem(token, time.monotonic())
            if not key:
                self._refuse_link()
                return
        body = body.replace(b"%KEY%", key.encode())
        headers = {**HEADERS, "Cache-Control": "no-store"} if path == "/" else HEADERS
        self._send(HTTPStatus.OK, found.kind, body, headers)

    def _refuse_link(self) -> None:
        found = asset("used.html", "link")
        body = found.body.replace(b"%WHY%", USED.encode()) if found else USED.encode()
        self._send(HTTPStatus.FORBIDDEN, "text/html; charset=utf-8", body, HEADERS)

    def _forward(self, body: bytes) -> None:
        asked = self.headers.get(ASKED, "")
        try:
            status, kind, answer = client.forward(
                self.server.admin, self.command, self.path, body, asked
            )
        except RunError as error:
            self._say(HTTPStatus.BAD_GATEWAY, "gone", str(error))
            return
        self._send(status, kind, answer, {"Cache-Control": "no-store"})

    def _say(self, status: int, kind: str, message: str) -> None:
        view = {"kind": kind, "message": message, "problems": [], "notes": []}
        self._send(status, "application/json", json.dumps(view).encode(), {})

    def _send(self, status: int, kind: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a request line may have the token of a link."""
