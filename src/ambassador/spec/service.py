"""The text of endpoints that are kept in etcd, by the name of their service: etcd://redis."""

from __future__ import annotations

import re

from ambassador.errors import ConfigError, Problem
from ambassador.spec.text import Malformed, shown, told

__all__ = ["NAME", "SCHEME", "is_service", "parse_service"]

SCHEME = "etcd://"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
_EXPECTED = "etcd://NAME, alone: letters, digits, -, _ and ."
_EXAMPLE = "etcd://redis"


def is_service(text: str) -> bool:
    """Return whether `text`, the endpoints of a route, names a service in etcd."""
    return any(part.strip().startswith(SCHEME) for part in text.split(","))


def parse_service(text: str, where: str = "endpoints") -> str:
    """Return the name of the service that `text` means. Raises ConfigError."""
    if "," in text:
        what = "a service of etcd is the only endpoint: etcd has all its endpoints"
        raise ConfigError(Problem(where, what, shown(text), _EXPECTED, _EXAMPLE))
    return told(where, text, _name)


def _name(text: str) -> str:
    name = text.removeprefix(SCHEME)
    if not NAME.fullmatch(name):
        what = f'"{shown(name)}" is not a name of a service' if name else "the name is missing"
        raise Malformed(what, _EXPECTED, _EXAMPLE)
    return name
