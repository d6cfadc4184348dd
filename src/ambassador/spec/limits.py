"""How many sessions a route and a client may have, as it is written: `1000`, `100/s`, `10/1m`."""

from __future__ import annotations

from ambassador.errors import ConfigError
from ambassador.model import Rate
from ambassador.spec.text import Malformed, shown, told
from ambassador.spec.values import format_duration, parse_duration

__all__ = ["format_limit", "format_rate", "parse_limit", "parse_rate"]

_MOST = 1_000_000
_UNITS = {"s": "1s", "m": "1m", "h": "1h"}


def parse_limit(text: str, where: str = "limit") -> int:
    """Return the number that `text` means, 0 for `off`. Raises ConfigError."""
    return told(where, text, _limit)


def format_limit(limit: int) -> str:
    """Return the text that means `limit`."""
    return str(limit) if limit else "off"


def parse_rate(text: str, where: str = "rate") -> Rate | None:
    """Return the rate that `text` means, None for `off`. Raises ConfigError."""
    return told(where, text, _rate)


def format_rate(rate: Rate | None) -> str:
    """Return the text that means `rate`."""
    if rate is None:
        return "off"
    seconds = format_duration(rate.seconds)
    return f"{rate.count}/{next((u for u, one in _UNITS.items() if one == seconds), seconds)}"


def _limit(text: str) -> int:
    return 0 if text == "off" else _number(text, "1000")


def _rate(text: str) -> Rate | None:
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
        what = f'"{shown(text)}" is no number from 1 to {_MOST}'
        raise Malformed(what, "a whole number, or off", example)
    return int(text)
