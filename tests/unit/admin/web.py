"""HTTP over a unix socket or TCP, byte for byte."""

from __future__ import annotations

import json
import socket
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

__all__ = ["Answer", "answers", "connect", "ended", "exchange", "request"]

Place = Path | int


class Answer:
    """The status, the headers in lower case, and the body of an answer."""

    def __init__(self, response: HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)


def connect(place: Place) -> socket.socket:
    if isinstance(place, int):
        return socket.create_connection(("127.0.0.1", place), 5)
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(5)
    sock.connect(str(place))
    return sock


def exchange(place: Place, raw: bytes, method: str = "GET") -> Answer:
    """Send `raw` and return the first answer."""
    with connect(place) as sock:
        sock.sendall(raw)
        response = HTTPResponse(sock, method=method)
        response.begin()
        return Answer(response)


def request(
    place: Place, url: str, method: str = "GET", body: Any = None, **headers: str
) -> Answer:
    """Ask; a `body` that is no bytes is sent as JSON."""
    head = {"Host": "x", **{name.replace("_", "-"): text for name, text in headers.items()}}
    sent = b""
    if body is not None:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = {"Content-Length": str(len(sent)), "Content-Type": "application/json"} | head
    lines = [f"{method} {url} HTTP/1.1", *(f"{name}: {text}" for name, text in head.items())]
    raw = "\r\n".join([*lines, "", ""]).encode() + sent
    return exchange(place, raw, method)


def answers(path):
    return request(path, "/healthz").status == 200


def ended(sock):
    """Read to the end and return what came."""
    data = b""
    try:
        while part := sock.recv(65536):
            data += part
    except ConnectionResetError:
        pass
    return data
