"""Errors on a terminal, and whether it wants colour."""

from __future__ import annotations

import os
import sys
from typing import TextIO

__all__ = ["complain", "wants_colour"]


def wants_colour(stream: TextIO | None) -> bool:
    """Return whether `stream` is a terminal and colour is not refused (https://no-color.org)."""
    if stream is None:  # it was closed before the start
        return False
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def complain(text: str) -> None:
    """Write an error to stderr, after all log lines. If these cannot be written in 2 s, the error
    is not written either: the end of the program must not wait for a reader.
    """
    from ambassador import log  # noqa: PLC0415 (10 ms, which a verb without an error saves)
    from ambassador.cli.text import safe  # noqa: PLC0415

    if not log.flush():
        return
    word = "\x1b[1;31merror\x1b[0m" if wants_colour(sys.stderr) else "error"
    print(f"{word}: {safe(text)}", file=sys.stderr)
