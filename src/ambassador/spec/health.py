"""The text of the probe of an endpoint: off, tcp, redis, http:/healthz."""

from __future__ import annotations

import re

from ambassador.spec.text import Malformed, meant, shown, told

__all__ = [
    "OF_UDP",
    "PRIMARIES",
    "PROBES",
    "REPLICAS",
    "format_health",
    "http_of",
    "parse_count",
    "parse_health",
]

PROBES = ("tcp", "redis", "memcached", "postgres", "mysql", "nats", "dns", "http")
# These ask which endpoint is the primary of a replicated store; the route follows it.
PRIMARIES = ("redis-primary", "postgres-primary", "mysql-primary")
# These ask whether an endpoint is a replica that keeps up with its primary.
REPLICAS = ("redis-replica", "postgres-replica")
OF_UDP = ("dns",)
_WORDS = (*PROBES, *PRIMARIES, *REPLICAS)
_EXPECTED = f"one of {', '.join(_WORDS)}, http:/PATH, http:PORT/PATH, or off"
# A path (RFC 3986 section 3.3) with a query: the characters that a request line may have.
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/%?-]{0,1000}", re.ASCII)
_PORT = re.compile(r"\d{1,5}(?=/)", re.ASCII)
_COUNT = re.compile(r"[1-9]\d{0,2}", re.ASCII)


def parse_health(text: str, where: str = "health") -> str:
    """Return the probe that `text` means: its word, `http:/path`, or empty for `off`.

    Raises ConfigError.
    """
    return told(where, text, _health)


def format_health(health: str) -> str:
    """Return the text that means `health`."""
    return health or "off"


def http_of(health: str) -> tuple[int, str]:
    """Return the port and the path that a `health` of http asks; port 0: that of the endpoint."""
    place = health.partition(":")[2] or "/"
    port = _PORT.match(place)
    return (int(port[0]), place[port.end() :]) if port else (0, place)


def parse_count(text: str, where: str = "number") -> int:
    """Return a number from 1 to 999. Raises ConfigError."""

    def read(text: str) -> int:
        if not _COUNT.fullmatch(text):
            raise Malformed("is not a number from 1 to 999", "a whole number", "3")
        return int(text)

    return told(where, text, read)


def _health(text: str) -> str:
    if text == "off":
        return ""
    word, colon, path = text.partition(":")
    if word not in _WORDS:
        words = (*_WORDS, "off")
        raise Malformed(f'"{shown(word)}" is no probe{meant(word, words)}', _EXPECTED, "tcp")
    if colon and word != "http":
        raise Malformed(f"{word} takes no value", _EXPECTED, word)
    port = _PORT.match(path) if colon else None
    if port and not 1 <= int(port[0]) <= 65535:
        what = f"{port[0]} is not a port: 1 to 65535 are"
        raise Malformed(what, _EXPECTED, "http:8008/healthz")
    if colon and not _PATH.fullmatch(path, port.end() if port else 0):
        example = f"http:{path}/" if path.isdecimal() else "http:/healthz"
        raise Malformed(f'"{shown(path)}" is not a path', _EXPECTED, example)
    return "http" if path == "/" else text
