"""Ask a running ambassador: a blocking HTTP request over its admin socket."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from pathlib import Path

from ambassador.admin.place import candidates
from ambassador.admin.views import StatusView
from ambassador.errors import RunError

__all__ = ["find", "ready", "status"]


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def find(environ: Mapping[str, str], named: str = "") -> Path:
    """Return the admin socket: the one `named`, else the first that somebody listens on.

    Raises RunError when there is none.
    """
    places = [Path(named)] if named else list(candidates(environ))
    refusals = []
    for path in places:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
                probe.connect(str(path))
        except BlockingIOError:  # its backlog is full (connect(2))
            return path
        except PermissionError:
            refusals.append(str(path))
        except OSError:
            continue
        else:
            return path
    if refusals:
        raise RunError(f"not allowed to ask the ambassador at {', '.join(refusals)}")
    raise RunError(
        f"no ambassador is running here: nobody answers at {', '.join(map(str, places))}; "
        "start one with: ambassador run REDIS_PORT_6379_TCP=tcp://HOST:6379"
    )


def ready(path: Path, timeout: float) -> tuple[bool, str]:
    """Return whether the ambassador takes clients, and its phase. Raises RunError."""
    code, body = _get(path, "/readyz", timeout)
    return code == http.client.OK, body.decode(errors="replace").strip()


def status(path: Path, timeout: float = 5.0) -> StatusView:
    """Return what the ambassador says of itself. Raises RunError."""
    code, body = _get(path, "/v1/status", timeout)
    if code != http.client.OK:
        raise RunError(f"{path} answered {code}: {body.decode(errors='replace').strip()}")
    try:
        return StatusView.from_json(json.loads(body))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} does not answer like an ambassador of this version") from error


def _get(path: Path, url: str, timeout: float) -> tuple[int, bytes]:
    connection = _Connection(path, timeout)
    try:
        connection.request("GET", url)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else str(error)
        raise RunError(f"the ambassador behind {path} does not answer: {why}") from error
    finally:
        connection.close()
