"""The text of the policy for open sessions whose endpoint has left the route."""

from __future__ import annotations

import re
from dataclasses import replace

from ambassador.errors import ConfigError
from ambassador.model import Existing, Fate, Reason
from ambassador.spec.text import Malformed, meant, shown, told
from ambassador.spec.values import format_duration, parse_duration

__all__ = ["CAUSES", "format_existing", "parse_existing"]

_EXPECTED = "keep, drain=DURATION, cut or cut=NUMBER/s"
# Causes that may have a policy of their own, after the general one: keep,demoted=cut
CAUSES = (
    *(Reason.MOVED, Reason.DEMOTED, Reason.UNHEALTHY, Reason.MAINT, Reason.REMOVED),
    Reason.DENIED,
)
_RATE = re.compile(r"(\d{1,7})/s", re.ASCII)
# More than any machine can cut; a larger number is surely a mistake.
_HIGHEST_RATE = 1_000_000


def parse_existing(text: str, where: str = "existing") -> Existing:
    """Return the policy that `text` means. Raises ConfigError."""
    return told(where, text, _existing)


def format_existing(existing: Existing) -> str:
    """Return the text that means `existing`."""
    parts = [f"{cause}={_plain(policy)}" for cause, policy in existing.by]
    return ",".join((_plain(existing), *parts))


def _plain(existing: Existing) -> str:
    match existing:
        case Existing(fate=Fate.DRAIN, seconds=seconds):
            return f"drain={format_duration(seconds)}"
        case Existing(fate=Fate.CUT, rate=rate) if rate:
            return f"cut={rate}/s"
    return existing.fate.value


def _existing(text: str) -> Existing:
    first, *others = text.split(",")
    causes: dict[Reason, Existing] = {}
    whole = Existing()
    if _cause(first) is not None:  # there is no general policy: it is keep
        others.insert(0, first)
    else:
        whole = _policy(first)
    for part in others:
        cause = _cause(part)
        if cause is None:
            words = [cause.value for cause in CAUSES]
            what = f'"{shown(part)}" names no cause{meant(part.partition("=")[0], words)}'
            expected = f"one of {', '.join(words)}, = and a policy"
            raise Malformed(what, expected, f"{_plain(whole)},demoted=cut")
        if cause in causes:
            raise Malformed(f"{cause} is given twice", _EXPECTED, "keep,demoted=cut")
        causes[cause] = _policy(part.partition("=")[2])
    ordered = tuple((cause, causes[cause]) for cause in CAUSES if cause in causes)
    return replace(whole, by=ordered)


def _cause(text: str) -> Reason | None:
    word, given, _ = text.partition("=")
    return next((cause for cause in CAUSES if given and cause == word), None)


def _policy(text: str) -> Existing:
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
