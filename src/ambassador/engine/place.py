"""Where the engine is: by the setting, by the variables of its own tools, or at its usual
sockets.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ambassador.errors import ConfigError, Problem
from ambassador.spec import parse_ports, shown

__all__ = ["Where", "engine_at", "engine_of"]

_FORM = "unix:///PATH or tcp://HOST:PORT"
_EXAMPLE = "unix:///var/run/docker.sock"
_TLS = 2376  # the usual port with TLS; 2375 is the one without
_PLAIN = 2375


class Where(NamedTuple):
    """The socket of an engine: a path, or a host and port; with the folder of ca.pem, cert.pem and
    key.pem where it uses TLS. `said`: the variable that has chosen it.
    """

    path: str = ""
    host: str = ""
    port: int = 0
    certificates: str = ""
    said: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"


def engine_at(text: str, where: str, environ: Mapping[str, str]) -> Where:
    """Return the engine at `text`, the value of the variable `where`. Raises ConfigError."""
    if text.startswith("unix://"):
        path = text.removeprefix("unix://")
        if not path.startswith("/"):
            raise _wrong(where, "is not an absolute path", text)
        return Where(path=path, said=where)
    if not text.startswith("tcp://"):
        raise _wrong(where, "is not a place of an engine", text)
    rest = text.removeprefix("tcp://").rstrip("/")
    host, colon, ports = rest.rpartition(":")
    if not colon or rest.endswith("]"):
        host, ports = rest, ""
    host = host.strip("[]")
    if not host or any(char in host for char in "/?#@ "):
        raise _wrong(where, "names no host", text)
    folder = environ.get("DOCKER_CERT_PATH", "")
    if not folder and environ.get("DOCKER_TLS_VERIFY"):
        folder = str(Path(environ.get("HOME", "/root"), ".docker"))
    if not ports:
        return Where(host=host, port=_TLS if folder else _PLAIN, certificates=folder, said=where)
    try:
        port = parse_ports(ports, where)
    except ConfigError as error:
        raise _wrong(where, error.problems[0].what, text) from None
    if port.last:
        raise _wrong(where, "has several ports", text)
    return Where(host=host, port=port.port, certificates=folder, said=where)


def engine_of(scheme: str, setting: str, environ: Mapping[str, str]) -> Where:
    """Return where the engine of endpoints with `scheme` (docker or podman) is; `setting` is what
    AMBASSADOR_DOCKER says. Raises ConfigError.
    """
    if setting:
        return engine_at(setting, "AMBASSADOR_DOCKER", environ)
    variable = "DOCKER_HOST" if scheme == "docker" else "CONTAINER_HOST"
    if told := environ.get(variable, ""):
        return engine_at(told, variable, environ)
    usual = list(_usual(scheme, environ))
    for path in usual:
        try:
            if path.is_socket():
                return Where(path=str(path))
        except OSError:  # a folder that we may not read
            continue
    return Where(path=str(usual[0]))


def _usual(scheme: str, environ: Mapping[str, str]) -> Iterator[Path]:
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    docker = (Path("/var/run/docker.sock"), Path("/run/docker.sock"), Path(runtime, "docker.sock"))
    podman = (Path("/run/podman/podman.sock"), Path(runtime, "podman/podman.sock"))
    yield from (*docker, *podman) if scheme == "docker" else (*podman, *docker)


def _wrong(where: str, what: str, text: str) -> ConfigError:
    return ConfigError(Problem(where, what, shown(text), _FORM, f"{where}={_EXAMPLE}"))
