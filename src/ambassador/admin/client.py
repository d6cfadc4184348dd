"""Ask a running ambassador: a blocking HTTP request over its admin socket."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from ambassador.admin.faults import as_error
from ambassador.admin.locate import find
from ambassador.admin.operations import ASKED, Events, operation_of
from ambassador.admin.plain import decode, keys_of
from ambassador.core.commands import Command, Move, Undo
from ambassador.errors import ConfigError, NobodyError, RunError

__all__ = ["ask", "events", "find", "forward", "get", "ready"]

# Seconds a command may take beyond its own `timeout`; with thousands of routes planes need time.
_PATIENCE = 30.0
_LONGEST = 600.0  # seconds for a request of a page, which has a time limit of its own
_AGAIN = 0.02


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        end = time.monotonic() + (self.timeout if self.timeout is not None else _PATIENCE)
        while True:
            try:
                self.sock.connect(str(self._path))
            except BlockingIOError:  # the backlog is full (connect(2)); a unix socket does not wait
                if time.monotonic() > end:
                    raise TimeoutError from None
                time.sleep(_AGAIN)
            else:
                return


def ready(path: Path, timeout: float, *, endpoints: bool = False) -> tuple[bool, str]:
    """Return whether the ambassador takes clients, and its phase; with `endpoints` also whether
    each route has an endpoint that works, or which routes have none. Raises RunError.
    """
    url = "/readyz?endpoints" if endpoints else "/readyz"
    with _exchange(path, "GET", url, timeout=timeout) as response:
        return response.status == http.client.OK, response.read().decode(errors="replace").strip()


def ask(path: Path, command: Command, timeout: float = _PATIENCE) -> Any:
    """Send `command` to the ambassador and return its result, of the type `command.result`.

    A move may take `timeout` seconds more than its own timeout. Raises the error that the
    ambassador raised, or NobodyError when it does not answer.
    """
    row = operation_of(command)
    if isinstance(command, (Move, Undo)):
        timeout += command.timeout
    # Only fields that differ from their default: an older ambassador may not know newer fields.
    given = ((key, getattr(command, key.attribute)) for key in keys_of(cast("Any", row.command)))
    fields = {key.name: value for key, value in given if value != key.default}
    url, body = row.path, None
    if row.method == "GET":
        url += f"?{urlencode(fields)}" if fields else ""
    else:
        body = json.dumps(fields).encode()
    with _exchange(path, row.method, url, body, timeout=timeout) as response:
        status, text = response.status, response.read()
    value = _value(path, status, text)
    try:
        return decode(value, command.result, strict=False)
    except ConfigError as error:
        raise _strange(path) from error


def get(path: Path, where: str, timeout: float) -> tuple[int, str, bytes]:
    """Return status, media type and body of a GET of `where`, unchanged. Raises RunError."""
    with _exchange(path, "GET", where, timeout=timeout) as response:
        return response.status, response.getheader("Content-Type", "text/plain"), response.read()


def forward(path: Path, method: str, where: str, body: bytes, asked: str) -> tuple[int, str, bytes]:
    """Send a request unchanged to the ambassador; `asked` is when it was made (see ASKED). Return
    status, media type and body of the answer. Raises RunError.
    """
    with _exchange(path, method, where, body or None, timeout=_LONGEST, asked=asked) as response:
        return response.status, response.getheader("Content-Type", "text/plain"), response.read()


def events(path: Path, wanted: Events) -> Iterator[bytes]:
    """Yield the events, each as a line of JSON. Raises RunError."""
    query = urlencode({"after": wanted.after, "follow": str(wanted.follow).lower()})
    patience = None if wanted.follow else _PATIENCE
    with _exchange(path, "GET", f"/v1/events?{query}", timeout=patience) as response:
        if response.status != http.client.OK:
            _value(path, response.status, response.read())
        while line := response.readline():
            yield line.rstrip(b"\n")


def _value(path: Path, status: int, text: bytes) -> Any:
    """Return the value of a good answer; raise the error of any other answer."""
    try:
        value = json.loads(text)
        error = None if status == http.client.OK else as_error(value)
    except (ConfigError, ValueError) as strange:
        if status == http.client.OK:
            raise _strange(path) from strange
        answer = text.decode(errors="replace").strip()
        raise RunError(f"{path} answered {status}: {answer}") from strange
    if error is not None:
        raise error
    return value


def _strange(path: Path) -> RunError:
    return RunError(f"{path} does not answer like an ambassador of this version")


@contextmanager
def _exchange(
    path: Path,
    method: str,
    url: str,
    body: bytes | None = None,
    *,
    timeout: float | None,
    asked: str = "",
) -> Iterator[http.client.HTTPResponse]:
    connection = _Connection(path, timeout)
    # A command that has not begun in time is not wanted any longer, also if the ambassador was
    # stopped (SIGSTOP) meanwhile.
    headers = {ASKED: asked or f"{time.time():.3f}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        connection.request(method, url, body, headers)
        yield connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else str(error)
        raise NobodyError(f"the ambassador at {path} does not answer: {why}") from error
    finally:
        connection.close()
