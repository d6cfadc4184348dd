"""What every part of the grammar shares: showing what was read, refusing it, guessing what was
meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from heapq import nlargest
from typing import TypeVar

from ambassador.errors import ConfigError, Problem

__all__ = ["Malformed", "meant", "nearest", "printable", "refuse_blanks", "shown", "told"]

_T = TypeVar("_T")

LONGEST_SHOWN = 200  # characters of a value repeated in an error
# Among so many words one is looked for that was meant: each costs 50 us.
_CANDIDATES = 100
_LIKE = 0.6  # 1: the same; twice the letters in common, by the letters of both
# The value of an option we do not know may be a password (postgres://...?password=), unless it is
# a short number. No part of the pattern runs over the beginning of the next match: texts come from
# outside, and a search must not take the square of their length.
_HIDING = ("@", "?", "&")  # without one of these there is no secret to be hidden
_UNKNOWN_OPTION = re.compile(
    r"(?P<key>[?&](?!(?:weight|proxy|label|network|sleep|verify|tls|starttls)=)[^=&,?]*=)"
    r"(?!\d{1,4}(?:[&,]|$))[^&]+"
)


class Malformed(Exception):  # noqa: N818 - it is the finding; the error is the ConfigError around it
    """A finding without the place where it was read; never leaves the grammar."""

    def __init__(self, what: str, expected: str = "", example: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.expected = expected
        self.example = example


def told(where: str, text: str, read: Callable[[str], _T]) -> _T:
    """Return `read(text)`; what it finds malformed becomes a ConfigError that names `where`."""
    try:
        return read(text)
    except Malformed as found:
        problem = Problem(where, found.what, shown(text), found.expected, found.example)
        raise ConfigError(problem) from None


def shown(text: str) -> str:
    """Return `text` fit for a terminal and a log: no secrets, no control characters, not endless.

    Userinfo becomes `***` (RFC 3986 section 3.2.1 asks not to render what follows a colon in it).
    """
    if len(text) <= LONGEST_SHOWN and not any(map(text.count, _HIDING)):
        return printable(text)
    # Everything between the scheme and the last "@" may be a name and a password.
    parts = (part.rpartition("@") for part in text.split("://"))
    text = "://".join(f"***@{rest}" if at else rest for _, at, rest in parts)
    text = _UNKNOWN_OPTION.sub(r"\g<key>***", text)[: LONGEST_SHOWN + 1]
    text = printable(text)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def printable(text: str, longest: int = 0) -> str:
    """Return `text` as one line that says nothing to a terminal: control characters, and those that
    change the direction of what is read, are written as in Python. With `longest`, no more of it.
    """
    if longest and len(text) > longest:
        text = f"{text[:longest]}..."
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(char: str) -> str:
    return char if char.isprintable() else repr(char)[1:-1]


def refuse_blanks(text: str) -> None:
    """Refuse blanks and control characters; a path writes them as %XX."""
    if text.isprintable() and " " not in text:  # of all blanks, only this one is printable
        return
    for char in text:
        if char.isspace():
            name = "blank" if char == " " else f"blank (U+{ord(char):04X})"
            raise Malformed(f"contains a {name}")
        if not char.isprintable():
            raise Malformed(f"contains a control or undecodable character (U+{ord(char):04X})")


def nearest(word: str, words: Iterable[str]) -> str:
    """Return the one of `words` that looks most like `word`, or nothing when none does. Where
    they are very many, only those that begin and end like it are looked at.
    """
    from difflib import get_close_matches  # noqa: PLC0415 (1 ms; only where something is wrong)

    # Two of very different length are never alike: what is compared below is short.
    found = [one for one in words if _LIKE * (len(one) + len(word)) <= 2 * min(len(one), len(word))]
    if len(found) > _CANDIDATES:
        back = word[::-1]
        found = nlargest(_CANDIDATES, found, key=lambda one: _likeness(one, word, back))
    return next(iter(get_close_matches(word, found, n=1, cutoff=_LIKE)), "")


def _likeness(one: str, word: str, back: str) -> int:
    return _alike(one, word) + _alike(one[::-1], back)


def _alike(one: str, other: str) -> int:
    """Return how many letters both begin with; a tenth of the time of os.path.commonprefix."""
    for place, (mine, its) in enumerate(zip(one, other, strict=False)):
        if mine != its:
            return place
    return min(len(one), len(other))


def meant(word: str, words: Iterable[str]) -> str:
    """Return `, did you mean "..."?`, or nothing when no word looks like `word`."""
    near = nearest(word, words)
    return f', did you mean "{near}"?' if near else ""
