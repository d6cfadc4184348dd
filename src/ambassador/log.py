"""One line an event: for people, or as JSON for machines.

An event has a stable name, a sentence and fields. People read the sentence; JSON carries all
three, with the sentence under "message". Clients' bytes and secrets never get here.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

__all__ = ["DEBUG", "ERROR", "INFO", "WARNING", "configure", "enabled", "event", "follow"]

DEBUG, INFO, WARNING, ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR

_logger = logging.getLogger("ambassador")
_COLOURS = {DEBUG: "\x1b[2m", WARNING: "\x1b[33m", ERROR: "\x1b[31m"}
_RESET = "\x1b[0m"

_Heard = Callable[[int, str, str, Mapping[str, Any]], None]
_followers: list[_Heard] = []


def event(level: int, name: str, message: str, /, **fields: Any) -> None:
    """Log one event: its name (snake_case, stable), a sentence for people, and its fields."""
    if level >= INFO:
        for heard in tuple(_followers):
            heard(level, name, message, fields)
    if _logger.isEnabledFor(level):
        _logger.log(level, message, extra={"event": name, "fields": fields})


def follow(heard: _Heard) -> Callable[[], None]:
    """Call `heard` with level, name, sentence and fields of each event from `info` up, whatever
    is written, until the returned function is called.
    """
    _followers.append(heard)

    def unfollow() -> None:
        if heard in _followers:
            _followers.remove(heard)

    return unfollow


def enabled(level: int) -> bool:
    """Tell whether events of `level` are written at all (to spare the work of making them)."""
    return _logger.isEnabledFor(level)


def configure(*, level: str, as_json: bool, colour: bool, stream: TextIO | None = None) -> None:
    """Send all log lines of the program to `stream` (stderr) from `level` ("info") up."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonLines() if as_json else _Lines(colour))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(WARNING)
    _logger.setLevel(level.upper())


class _Lines(logging.Formatter):
    def __init__(self, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        message = _one_line(record.getMessage())
        line = f"{_time(record)} {record.levelname.lower():<7} {message}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        colour = _COLOURS.get(record.levelno, "") if self._colour else ""
        return f"{colour}{line}{_RESET}" if colour else line


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", record.name),
            "message": record.getMessage(),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _one_line(text: str) -> str:
    # A name from outside (DNS, an alias) must not be able to forge a line of the log.
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
