"""What every part of the grammar shares: showing what was read, refusing it, guessing what was
meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import TypeVar

from ambassador.errors import ConfigError, Problem

__all__ = ["Malformed", "meant", "nearest", "refuse_blanks", "shown", "told"]

_T = TypeVar("_T")

LONGEST_SHOWN = 200  # characters of a value repeated in an error
# Everything between the scheme and the last "@" may be a name and a password; the value of an
# option we do not know may be one too (postgres://...?password=), unless it is a short number.
_USERINFO = re.compile(r"(?P<before>^|://)(?P<secret>(?:(?!://).)*)@", re.DOTALL)
_UNKNOWN_OPTION = re.compile(r"(?P<key>[?&](?!weight=)[^=&,]*=)(?!\d{1,4}(?:[&,]|$))[^&]+")


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
    text = _UNKNOWN_OPTION.sub(r"\g<key>***", _USERINFO.sub(r"\g<before>***@", text))
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def refuse_blanks(text: str) -> None:
    """Refuse blanks and control characters; a path writes them as %XX."""
    for char in text:
        if char.isspace():
            name = "blank" if char == " " else f"blank (U+{ord(char):04X})"
            raise Malformed(f"contains a {name}")
        if not char.isprintable():
            raise Malformed(f"contains a control or undecodable character (U+{ord(char):04X})")


def nearest(word: str, words: Iterable[str]) -> str:
    """Return the one of `words` that looks most like `word`, or nothing when none does."""
    return next(iter(get_close_matches(word, list(words), n=1, cutoff=0.6)), "")


def meant(word: str, words: Iterable[str]) -> str:
    """Return `, did you mean "..."?`, or nothing when no word looks like `word`."""
    near = nearest(word, words)
    return f', did you mean "{near}"?' if near else ""
