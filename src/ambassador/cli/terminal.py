"""What is written to a terminal: errors, and colour only where it is welcome."""

from __future__ import annotations

import os
import sys
from typing import TextIO

__all__ = ["complain", "wants_colour"]


def wants_colour(stream: TextIO | None) -> bool:
    """Tell whether `stream` is a terminal whose owner does not mind (https://no-color.org)."""
    if stream is None:  # it was closed before we were started
        return False
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def complain(text: str) -> None:
    """Write an error to stderr, after all that was logged. Where nobody reads the log any longer,
    nothing is written: the end of a program waits for no reader.
    """
    from ambassador import log  # noqa: PLC0415 (10 ms that a verb without an error is spared)
    from ambassador.cli.text import safe  # noqa: PLC0415

    if not log.flush():
        return
    word = "\x1b[1;31merror\x1b[0m" if wants_colour(sys.stderr) else "error"
    print(f"{word}: {safe(text)}", file=sys.stderr)
