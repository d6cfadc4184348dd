"""Common parts of the grammar: showing text in errors, refusing text, and guessing the word that
was meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from heapq import nlargest
from typing import TypeVar

from ambassador.errors import ConfigError, Problem

__all__ = ["Malformed", "meant", "nearest", "printable", "refuse_blanks", "shown", "told"]

_T = TypeVar("_T")

LONGEST_SHOWN = 200  # characters of a value in an error
# At most so many words are compared with a wrong one: each takes 50 us.
_CANDIDATES = 100
_LIKE = 0.6  # similarity: twice the letters in common, divided by the letters of both; 1: equal
_HIDING = ("@", "?", "&")  # without one of these there is no secret to be hidden
# The value of an unknown option may be a password (postgres://...?password=), unless it is a short
# number. No part of the pattern matches across the beginning of the next match: texts come from
# outside, and the time of a search must not grow with the square of their length.
_UNKNOWN_OPTION = re.compile(
    r"(?P<key>[?&](?!(?:weight|proxy|label|network|sleep|verify|tls|starttls)=)[^=&,?]*=)"
    r"(?!\d{1,4}(?:[&,]|$))[^&]+"
)


class Malformed(Exception):  # noqa: N818 - only a part of the ConfigError that is raised
    """A problem without its place; it never leaves the grammar: `told` makes a ConfigError."""

    def __init__(self, what: str, expected: str = "", example: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.expected = expected
        self.example = example


def told(where: str, text: str, read: Callable[[str], _T]) -> _T:
    """Return `read(text)`; if it raises Malformed, raise a ConfigError that names `where`."""
    try:
        return read(text)
    except Malformed as found:
        problem = Problem(where, found.what, shown(text), found.expected, found.example)
        raise ConfigError(problem) from None


def shown(text: str) -> str:
    """Return `text` for a terminal and a log: without secrets and control characters, and cut to a
    limited length.

    Userinfo becomes `***` (RFC 3986 section 3.2.1: do not show the part after its colon).
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
    """Return `text` as one line that is safe for a terminal: control characters, and characters
    that change the direction of writing, are escaped as in Python. With `longest`, at most so many
    characters of `text`.
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
    """Return the one of `words` that is most similar to `word`; empty if none is similar. If there
    are very many words, only those that begin and end like it are compared.
    """
    from difflib import get_close_matches  # noqa: PLC0415 (1 ms; only if something is wrong)

    # Words of very different lengths are never similar, so only short words are compared below.
    found = [one for one in words if _LIKE * (len(one) + len(word)) <= 2 * min(len(one), len(word))]
    if len(found) > _CANDIDATES:
        back = word[::-1]
        found = nlargest(_CANDIDATES, found, key=lambda one: _likeness(one, word, back))
    return next(iter(get_close_matches(word, found, n=1, cutoff=_LIKE)), "")


def _likeness(one: str, word: str, back: str) -> int:
    return _alike(one, word) + _alike(one[::-1], back)


def _alike(one: str, other: str) -> int:
    """Return the number of equal letters at the beginning; ten times as fast as
    os.path.commonprefix.
    """
    for place, (mine, its) in enumerate(zip(one, other, strict=False)):
        if mine != its:
            return place
    return min(len(one), len(other))


def meant(word: str, words: Iterable[str]) -> str:
    """Return `, did you mean "..."?`, or nothing if no word is similar to `word`."""
    near = nearest(word, words)
    return f', did you mean "{near}"?' if near else ""
