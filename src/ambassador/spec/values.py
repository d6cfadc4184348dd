"""Durations, sizes and words: the values of options and settings."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ambassador.model import Pick
from ambassador.spec.text import Malformed, meant, shown, told

__all__ = [
    "format_duration",
    "format_size",
    "parse_duration",
    "parse_interval",
    "parse_keepalive",
    "parse_pause",
    "parse_pick",
    "parse_size",
    "parse_word",
    "read_duration",
]

_UNITS = {"ms": 0, "s": 1, "m": 60, "h": 3600}  # whole seconds
_DURATION = re.compile(r"(\d{1,18}(?:\.\d{1,30})?)(ms|s|m|h|)", re.ASCII)
SHORTEST_INTERVAL = 0.1  # seconds; with less, probes would be a load for the endpoint
LONGEST = 365 * 24 * 3600.0  # seconds; a longer time surely has the wrong unit
# setsockopt(TCP_KEEPIDLE) takes 1..32767 (MAX_TCP_KEEPIDLE in Linux' include/net/tcp.h)
LONGEST_KEEPALIVE = 32767

_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SIZE = re.compile(r"(\d{1,15})(B|KiB|MiB|GiB|)", re.ASCII)


def parse_duration(text: str, where: str = "duration", *, zero: bool = False) -> float:
    """Return seconds of `500ms`, `5s`, `2m`, `1h`; a plain number counts seconds.

    With `zero`, `0` and `off` give 0. Raises ConfigError.
    """
    return told(where, text, lambda text: _duration(text, zero))


def parse_interval(text: str, where: str = "interval") -> float:
    """Return seconds between two probes, at least 0.1. Raises ConfigError."""

    def read(text: str) -> float:
        seconds = _duration(text, zero=False)
        if seconds < SHORTEST_INTERVAL:
            raise Malformed("is shorter than 100ms", "100ms or more", "100ms")
        return seconds

    return told(where, text, read)


def parse_keepalive(text: str, where: str = "keepalive") -> float:
    """Return whole seconds for TCP_KEEPIDLE, or 0 for `off`. Raises ConfigError."""

    def read(text: str) -> float:
        seconds = _duration(text, zero=True)
        if seconds != int(seconds) or seconds > LONGEST_KEEPALIVE:
            raise Malformed(
                "the kernel takes whole seconds up to 32767", "1s to 32767s, or off", "60s"
            )
        return seconds

    return told(where, text, read)


def parse_pause(text: str, where: str = "duration") -> float:
    """Return seconds, or 0 for `off`. Raises ConfigError."""
    return told(where, text, lambda text: _duration(text, zero=True))


def read_duration(text: str) -> float:
    """Return seconds, more than 0. Raises Malformed."""
    return _duration(text, zero=False)


def _duration(text: str, zero: bool) -> float:
    expected = "a number with ms, s, m or h" + (", or off" if zero else "")
    if zero and text in {"off", "0"}:
        return 0.0
    match = _DURATION.fullmatch(text)
    if match is None:
        raise Malformed("is no duration", expected, "5s")
    amount, unit = match[1], match[2] or "s"
    if amount.isdecimal():
        seconds = int(amount) / 1000 if unit == "ms" else float(int(amount) * _UNITS[unit])
    else:
        from decimal import Decimal  # noqa: PLC0415 (1 ms, which whole numbers save)

        seconds = float(Decimal(amount) * (_UNITS[unit] or Decimal("0.001")))
    if seconds == 0 and not zero:
        raise Malformed("must be more than 0", expected, "5s")
    if seconds > LONGEST:
        raise Malformed("is longer than a year", expected, "5s")
    return seconds


def format_duration(seconds: float) -> str:
    """Return the shortest exact form of `seconds`; 0 is `off`."""
    if seconds == 0:
        return "off"
    if float(seconds).is_integer():
        whole = int(seconds)
        unit = next(unit for unit in ("h", "m", "s") if whole % _UNITS[unit] == 0)
        return f"{whole // _UNITS[unit]}{unit}"
    from decimal import Decimal  # noqa: PLC0415 (see _duration)

    exact = Decimal(repr(float(seconds)))
    return f"{exact:f}s" if (exact * 1000) % 1 else f"{int(exact * 1000)}ms"


def parse_size(text: str, where: str = "size") -> int:
    """Return bytes of `64KiB`, `1MiB`, `4096`. Raises ConfigError."""

    def read(text: str) -> int:
        match = _SIZE.fullmatch(text)
        if match is None:
            raise Malformed("is no size", "a whole number with B, KiB, MiB or GiB", "256KiB")
        return int(match[1]) * _BYTES[match[2] or "B"]

    return told(where, text, read)


def format_size(size: int) -> str:
    """Return the shortest exact form of `size` bytes."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return f"{size}B"


def parse_word(text: str, words: Iterable[str], where: str = "word") -> str:
    """Return `text` if it is one of `words`. Raises ConfigError, which names the nearest word."""
    words = list(words)

    def read(text: str) -> str:
        if text not in words:
            what = f'"{shown(text)}" is none of the words{meant(text, words)}'
            raise Malformed(what, f"one of {', '.join(words)}", words[0])
        return text

    return told(where, text, read)


def parse_pick(text: str, where: str = "pick") -> Pick:
    """Return how endpoints are chosen. Raises ConfigError."""
    return Pick(parse_word(text, [pick.value for pick in Pick], where))
