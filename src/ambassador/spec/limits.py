"""The texts of limits of sessions, of a route or of one client: `1000`, `50,wait=2s`,
`100/s,wait=2s`, `10/1m`.
"""

from __future__ import annotations

from dataclasses import replace

from ambassador.errors import ConfigError, Problem
from ambassador.model import Limit, Rate
from ambassador.spec.text import Malformed, meant, shown, told
from ambassador.spec.values import format_duration, parse_duration

__all__ = [
    "format_limit",
    "format_rate",
    "parse_ban",
    "parse_limit",
    "parse_rate",
    "refuse_wait",
]

_MOST = 1_000_000
_UNITS = {"s": "1s", "m": "1m", "h": "1h"}


def parse_limit(text: str, where: str = "limit") -> Limit | None:
    """Return the limit that `text` means, None for `off`. Raises ConfigError."""
    return told(where, text, _limit)


def format_limit(limit: Limit | None) -> str:
    """Return the text that means `limit`."""
    return f"{limit.count}{_format_wait(limit.wait)}" if limit is not None else "off"


def parse_rate(text: str, where: str = "rate") -> Rate | None:
    """Return the rate that `text` means, None for `off`. Raises ConfigError."""
    return told(where, text, _rate)


def parse_ban(text: str, where: str = "ban") -> Rate | None:
    """Return the rate that `text` means, None for `off`; it takes no `wait`. Raises ConfigError."""
    return told(where, text, _plain_rate)


def format_rate(rate: Rate | None) -> str:
    """Return the text that means `rate`."""
    if rate is None:
        return "off"
    seconds = format_duration(rate.seconds)
    unit = next((u for u, one in _UNITS.items() if one == seconds), seconds)
    return f"{rate.count}/{unit}{_format_wait(rate.wait)}"


def refuse_wait(value: Limit | Rate | None, text: str, where: str) -> None:
    """Raise ConfigError if the limit of a UDP route has `wait`."""
    if value is not None and value.wait:
        what = "wait is for TCP: a client that misses an answer to a datagram sends it again"
        example = text.partition(",")[0]
        raise ConfigError(Problem(where, what, shown(text), example, example))


def _limit(text: str) -> Limit | None:
    if text == "off":
        return None
    number, comma, beyond = text.partition(",")
    return Limit(_number(number, "1000"), _wait(number, beyond) if comma else 0.0)


def _rate(text: str) -> Rate | None:
    rate, comma, beyond = text.partition(",")
    found = _plain_rate(rate)
    if not comma:
        return found
    if found is None:
        raise Malformed(
            f'"{shown(text)}" has a wait, but is off',
            "off, or NUMBER/TIME,wait=TIME",
            "100/s,wait=2s",
        )
    return replace(found, wait=_wait(rate, beyond))


def _wait(before: str, text: str) -> float:
    """Return how long a client beyond the limit waits: `text` is the part after the comma."""
    if text == "refuse":
        return 0.0
    word, equals, seconds = text.partition("=")
    expected, example = "wait=TIME or refuse after the comma", f"{shown(before)},wait=2s"
    if word != "wait" or not equals:
        what = f'"{shown(text)}" is neither wait=TIME nor refuse{meant(word, ("wait", "refuse"))}'
        raise Malformed(what, expected, example)
    try:
        return parse_duration(seconds)
    except ConfigError as error:
        raise Malformed(f"wait {error.problems[0].what}", expected, example) from None


def _format_wait(seconds: float) -> str:
    return f",wait={format_duration(seconds)}" if seconds else ""


def _plain_rate(text: str) -> Rate | None:
    if text == "off":
        return None
    number, slash, seconds = text.partition("/")
    if not slash:
        raise Malformed(f'"{shown(text)}" has no time after a /', "NUMBER/TIME or off", "100/s")
    try:
        return Rate(_number(number, "100/s"), parse_duration(_UNITS.get(seconds, seconds)))
    except ConfigError as error:
        what = f"the time after the / {error.problems[0].what}"
        raise Malformed(what, "NUMBER/TIME or off", "10/1m") from None


def _number(text: str, example: str) -> int:
    digits = text.isascii() and text.isdigit() and len(text) <= 7
    if not digits or not 1 <= int(text) <= _MOST:
        what = f'"{shown(text)}" is not a number from 1 to {_MOST}'
        raise Malformed(what, "a whole number, or off", example)
    return int(text)
