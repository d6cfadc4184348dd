"""Health of an HTTP/1.1 service: it answers GET with a status below 400. Pure.

RFC 9110, section 15.
"""

from __future__ import annotations

import re

__all__ = ["HttpProbe"]

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)[ \r]")


class HttpProbe:
    """Implements ports.Probe by a GET of `path`."""

    def __init__(self, path: str = "/") -> None:
        self._path = path

    def question(self, host: str) -> bytes:
        """Return the request; see ports.Probe."""
        lines = (
            f"GET {self._path} HTTP/1.1",
            f"Host: {f'[{host}]' if ':' in host else host or 'localhost'}",
            "User-Agent: ambassador",
            "Accept: */*",
            "Connection: close",
        )
        return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1", "replace")

    def judge(self, answer: bytes) -> str | None:
        """Read the status line; see ports.Probe."""
        line, ended, _ = answer.partition(b"\n")
        if not ended:
            return None
        status = _STATUS.match(line)
        if status is None:
            return "does not answer in HTTP/1.1"
        return "" if status[1] < b"400" else f"answers GET {self._path} with {status[1].decode()}"
