"""The policy for open connections whose endpoint has left the route, as it is written."""

from __future__ import annotations

import re

from ambassador.errors import ConfigError
from ambassador.model import Existing, Fate
from ambassador.spec.text import Malformed, meant, shown, told
from ambassador.spec.values import format_duration, parse_duration

__all__ = ["format_existing", "parse_existing"]

_EXPECTED = "keep, drain=DURATION, cut or cut=NUMBER/s"
_RATE = re.compile(r"(\d{1,7})/s", re.ASCII)
# More than any machine can cut; a larger number is taken for a slip.
_HIGHEST_RATE = 1_000_000


def parse_existing(text: str, where: str = "existing") -> Existing:
    """Return the policy that `text` means. Raises ConfigError."""
    return told(where, text, _existing)


def format_existing(existing: Existing) -> str:
    """Return the text that means `existing`."""
    match existing:
        case Existing(fate=Fate.DRAIN, seconds=seconds):
            return f"drain={format_duration(seconds)}"
        case Existing(fate=Fate.CUT, rate=rate) if rate:
            return f"cut={rate}/s"
    return existing.fate.value


def _existing(text: str) -> Existing:
    word, given, value = text.partition("=")
    match word:
        case "keep":
            if given:
                raise Malformed("keep takes no value", _EXPECTED, "keep")
            return Existing()
        case "drain":
            return Existing(Fate.DRAIN, seconds=_seconds(value))
        case "cut":
            return Existing(Fate.CUT, rate=_rate(value) if given else 0)
    words = [fate.value for fate in Fate]
    raise Malformed(f'"{shown(word)}" is no policy{meant(word, words)}', _EXPECTED, "drain=30s")


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ConfigError as error:
        what = f"the time of drain {error.problems[0].what}" if text else "drain needs a time"
        raise Malformed(what, _EXPECTED, "drain=30s") from None


def _rate(text: str) -> int:
    match = _RATE.fullmatch(text)
    rate = int(match[1]) if match else 0
    if not 1 <= rate <= _HIGHEST_RATE:
        what = f"the rate of cut must be 1/s to {_HIGHEST_RATE}/s"
        raise Malformed(what, _EXPECTED, "cut=50/s")
    return rate
