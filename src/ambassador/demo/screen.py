"""What the demonstration shows: one aligned line for each event, in colour if wanted."""

from __future__ import annotations

import time
from typing import TextIO

__all__ = ["Screen"]

_COLOURS = {
    "service": "36",
    "ambassador": "35",
    "consumer": "34",
    "consumers": "34",
    "operator": "33",
    "good": "32",
    "bad": "31",
}


class Screen:
    """Writes lines: seconds since the start, who, and what."""

    def __init__(self, stream: TextIO, *, colour: bool) -> None:
        self._stream = stream
        self._colour = colour
        self._began = time.monotonic()

    def say(self, who: str, what: str, mood: str = "") -> None:
        """Write one line; `mood` is "good", "bad" or empty."""
        seconds = time.monotonic() - self._began
        name = self._paint(f"{who:<11}", who)
        self._write(f"{seconds:5.1f} s  {name} {self._paint(what, mood)}")

    def plain(self, *lines: str) -> None:
        """Write lines as they are."""
        for line in lines:
            self._write(line)

    def _paint(self, text: str, key: str) -> str:
        code = _COLOURS.get(key) if self._colour else None
        return f"\x1b[{code}m{text}\x1b[0m" if code else text

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()
