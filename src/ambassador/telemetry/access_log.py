"""The access log: one JSON line for each session, written when it has ended.

A thread writes, so that a full disk or a slow reader of a pipe keeps no session waiting. Lines
that cannot be written are dropped and counted.
"""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from collections import deque
from datetime import UTC, datetime

from ambassador import log
from ambassador.errors import RunError
from ambassador.model import Reason
from ambassador.ports import SessionRecord
from ambassador.spec import format_endpoint

__all__ = ["AccessLog", "line"]

MOST = 100_000  # lines that may wait; some 100 MB
_STDOUT = 1
_LOOK = 1.0  # seconds between two attempts to open a FIFO without a reader
_UNREAD = "no program reads this FIFO; lines wait for a reader"
_LAST = 2.0  # seconds that the end of the program waits for lines to be written

_BY = {
    Reason.CLIENT: "client",
    Reason.CLIENT_RESET: "client",
    Reason.UPSTREAM: "upstream",
    Reason.UPSTREAM_RESET: "upstream",
    Reason.RESET: "unknown",
    Reason.UNKNOWN: "unknown",
}


def line(record: SessionRecord, ended: float) -> str:
    """Return the line of a session that ended at `ended`, seconds since 1970."""
    moment = datetime.fromtimestamp(ended, UTC).isoformat(timespec="milliseconds")
    return json.dumps(
        {
            "time": moment.replace("+00:00", "Z"),
            "id": record.id,
            "route": record.route,
            "proto": record.proto.value,
            "client": record.client,
            "endpoint": record.endpoint and format_endpoint(record.endpoint),
            "address": record.address or None,
            "plane": record.plane,
            "to_upstream": record.to_upstream,
            "to_client": record.to_client,
            "connect": round(record.connected_after, 6) if _is_timed(record) else None,
            "total": round(record.total, 6),
            "by": _BY.get(record.reason, "ambassador"),
            "reason": record.reason.value,
            "detail": record.detail,
        },
        ensure_ascii=False,
    )


def _is_timed(record: SessionRecord) -> bool:
    return record.plane != "kernel" and bool(record.address)


class AccessLog:
    """Appends to the file `where`, or writes to stdout (`-`); implements ports.SessionEnded."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._file = -1
        self._lines: deque[tuple[SessionRecord, float]] = deque()
        self._more = threading.Event()
        self._reopen = self._closing = False
        self._dropped = 0
        self._thread = threading.Thread(target=self._work, name="access log", daemon=True)

    def open(self) -> None:
        """Open the file. Raises RunError."""
        try:
            self._file = self._opened()
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise RunError(f"access log {self._where}: {error.strerror or error}") from error
            self._complain(_UNREAD)
        self._thread.start()

    def __call__(self, record: SessionRecord) -> None:
        """Write the line of a session."""
        if len(self._lines) >= MOST:
            self._dropped += 1
            return
        self._lines.append((record, time.time()))
        self._more.set()

    def reopen(self) -> None:
        """Open the file again: it has been renamed, and a new one is to be begun."""
        self._reopen = True
        self._more.set()

    def close(self) -> None:
        """Write the lines that wait, for 2 s at most, and log how many were lost."""
        if not self._thread.is_alive():
            return
        self._closing = True
        self._more.set()
        self._thread.join(_LAST)
        lost = self._dropped + len(self._lines)
        if lost:
            self._complain(f"{lost} lines were not written")

    def _opened(self) -> int:
        if self._where == "-":
            return os.dup(_STDOUT)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        # Without O_NONBLOCK the open of a FIFO waits for a reader; with it, it fails (ENXIO;
        # open(2)).
        descriptor = os.open(self._where, flags | os.O_NONBLOCK, 0o640)
        os.set_blocking(descriptor, True)
        return descriptor

    def _work(self) -> None:
        complained = False
        while not self._closing or self._lines:
            # No event tells when a program begins to read a FIFO.
            self._more.wait(_LOOK if self._lines and self._file < 0 else None)
            self._more.clear()
            try:
                self._write()
                complained = False
            except OSError as error:
                if not complained:
                    unread = error.errno == errno.ENXIO
                    self._complain(_UNREAD if unread else f"cannot be written: {error.strerror}")
                complained = True
                if self._closing:
                    break
        self._release()

    def _write(self) -> None:
        if self._reopen:
            self._reopen = False
            self._release()
        if self._file < 0:
            self._file = self._opened()
        while self._lines:
            count = min(len(self._lines), 1000)
            piece = [self._lines.popleft() for _ in range(count)]
            data = "".join(f"{line(*one)}\n" for one in piece).encode(errors="replace")
            try:
                while data:
                    data = data[os.write(self._file, data) :]
            except OSError as error:
                self._dropped += count
                if error.errno == errno.EPIPE:  # the FIFO's reader has gone; another may come
                    self._release()
                raise

    def _release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def _complain(self, what: str) -> None:
        text = f"access log {self._where}: {what}"
        log.event(log.ERROR, "access_log", text, path=self._where)
