"""The log: one line for each event, as text for people or as JSON for machines.

An event has a stable name, a sentence and fields. People read the sentence; a JSON line has all
three, with the sentence under "message". The log has no bytes of clients and no secrets.

A thread writes the lines (`lines.py`): a slow or stopped reader keeps neither sessions nor the end
of the program waiting.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from ambassador.log.lines import LineWriter

__all__ = [
    "DEBUG",
    "ERROR",
    "INFO",
    "WARNING",
    "configure",
    "dropped",
    "enabled",
    "event",
    "flush",
    "follow",
    "one_of_many",
    "summarised",
    "summary",
]

DEBUG, INFO, WARNING, ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR

_logger = logging.getLogger("ambassador")
_COLOURS = {DEBUG: "\x1b[2m", WARNING: "\x1b[33m", ERROR: "\x1b[31m"}
_RESET = "\x1b[0m"
_STDERR = 2
_PEOPLE, _MACHINES = "people", "machines"  # the readers of a line: text or JSON
_JSON = json.JSONEncoder(ensure_ascii=False, default=str)  # json.dumps would make one a line
_LAST = 2.0  # seconds that the end of the program waits for lines to be written
_FULL_AGAIN = 60.0  # seconds until followers are told again that lines are dropped

_Heard = Callable[[int, str, str, Mapping[str, Any]], None]
_followers: list[_Heard] = []


def event(level: int, name: str, message: str, /, **fields: Any) -> None:
    """Log one event: its name (snake_case, stable), a sentence for people, and its fields."""
    if level >= INFO:
        _tell(level, name, message, fields)
    _write(level, name, message, fields)


def one_of_many(level: int, name: str, message: str, /, **fields: Any) -> None:
    """Log one event for machines and followers only; for people, `summary` describes several of
    these events in one line.
    """
    if level >= INFO:
        _tell(level, name, message, fields)
    _write(level, name, message, fields, only=_MACHINES)


def summary(level: int, message: str) -> None:
    """Log a sentence for people about events that `one_of_many` has logged for machines."""
    _write(level, "summary", message, {}, only=_PEOPLE)


def _write(level: int, name: str, message: str, fields: Mapping[str, Any], only: str = "") -> None:
    if _logger.isEnabledFor(level) and (not only or only in _read_by()):
        _logger.log(level, message, extra={"event": name, "fields": fields, "only": only})


def _read_by() -> Collection[str]:
    """Return the kinds of readers; if a handler is not ours (but a test's), return both kinds."""
    handlers = logging.getLogger().handlers
    kinds = {one.readers for one in handlers if isinstance(one, _ByThread)}
    return kinds if len(kinds) == len(handlers) else (_PEOPLE, _MACHINES)


def follow(heard: _Heard) -> Callable[[], None]:
    """Call `heard` with level, name, sentence and fields of each event from `info` up, even if it
    is not written, until the returned function is called.
    """
    _followers.append(heard)

    def unfollow() -> None:
        if heard in _followers:
            _followers.remove(heard)

    return unfollow


def enabled(level: int) -> bool:
    """Return whether events of `level` are written, so that callers need not make others."""
    return _logger.isEnabledFor(level)


def summarised() -> bool:
    """Return whether a `summary` is written, so that callers need not make it otherwise."""
    return _PEOPLE in _read_by()


def configure(*, level: str, as_json: bool, colour: bool, stream: TextIO | None = None) -> None:
    """Write all log lines from `level` ("info") up to `stream` (None: stderr)."""
    flush()
    handler = _ByThread(stream, _JsonLines() if as_json else _Lines(colour))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(WARNING)
    _logger.setLevel(level.upper())


def flush() -> bool:
    """Wait until every line so far is written, 2 s at most; return whether it is."""
    return all(handler.flushed() for handler in _handlers())


def dropped() -> int:
    """Return how many lines were dropped because they could not be written in time."""
    return sum(handler.dropped for handler in _handlers())


def _handlers() -> list[_ByThread]:
    return [one for one in logging.getLogger().handlers if isinstance(one, _ByThread)]


def _tell(level: int, name: str, message: str, fields: Mapping[str, Any]) -> None:
    for heard in tuple(_followers):
        heard(level, name, message, fields)


class _ByThread(logging.Handler):
    """Gives lines to a thread; writes at once to a stream without a descriptor (of a test)."""

    def __init__(self, stream: TextIO | None, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.readers = _MACHINES if isinstance(formatter, _JsonLines) else _PEOPLE
        self._stream = stream = stream or sys.stderr
        self._told = -_FULL_AGAIN
        try:
            descriptor = stream.fileno() if stream else _STDERR  # stderr was closed at the start
        except (OSError, ValueError):  # io.UnsupportedOperation is both
            self._writer = None
        else:
            self._writer = LineWriter(descriptor, self._gap, self._full)

    @property
    def dropped(self) -> int:
        """How many lines were dropped."""
        return self._writer.dropped if self._writer else 0

    def emit(self, record: logging.LogRecord) -> None:
        """Give a line to the thread."""
        if getattr(record, "only", "") not in ("", self.readers):
            return
        try:
            text = f"{self.format(record)}\n"
        except Exception as error:  # a bug of one line ends nothing else
            text = f"a bug: a log line could not be made: {error!r}\n"
        if self._writer is not None:
            self._writer.write(text)
        elif self._stream is not None:
            with contextlib.suppress(ValueError):  # the stream is closed: the test is over
                self._stream.write(text)

    def flush(self) -> None:
        """Wait for the thread, 2 s at most; logging.shutdown calls it at the end."""
        self.flushed()

    def flushed(self) -> bool:
        """Wait for the thread, 2 s at most; return whether all is written."""
        return self._writer is None or self._writer.flush(_LAST)

    def _gap(self, count: int) -> str:
        lines = "1 line" if count == 1 else f"{count} lines"
        text = f"{lines} of the log dropped here: the reader was too slow"
        record = _logger.makeRecord(_logger.name, WARNING, "", 0, text, (), None)
        record.event, record.fields = "log_dropped", {"lines": count}
        return f"{self.format(record)}\n"

    def _full(self) -> None:
        """Tell followers, since their output may be read when the log is not."""
        now = time.monotonic()
        if now - self._told >= _FULL_AGAIN:
            self._told = now
            text = "the log is not read, or cannot be written: lines are dropped"
            _tell(WARNING, "log_full", text, {})


class _Lines(logging.Formatter):
    def __init__(self, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        message = _one_line(record.getMessage())
        line = f"{_time(record)} {record.levelname.lower():<7} {message}"
        if record.exc_info:
            line += "\n" + "\n".join(map(_one_line, _traceback(self, record).split("\n")))
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
            line["exception"] = _traceback(self, record)
        return _JSON.encode(line)


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    assert record.exc_info is not None
    return formatter.formatException(record.exc_info)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _one_line(text: str) -> str:
    # A name from outside (DNS, an alias) must not be able to forge a line of the log.
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
