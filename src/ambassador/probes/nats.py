"""Health of NATS: it sends INFO (https://docs.nats.io/reference/reference-protocols). Pure."""

from __future__ import annotations

import re

__all__ = ["NatsProbe"]

_LEAVING = re.compile(rb'"ldm"\s*:\s*true')  # lame duck mode: it asks its clients to disconnect


class NatsProbe:
    """Implements ports.Probe: the server sends first."""

    def question(self, host: str) -> bytes:
        """Return nothing; see ports.Probe."""
        return b""

    def judge(self, answer: bytes) -> str | None:
        """Read the first line; see ports.Probe."""
        line, ended, _ = answer.partition(b"\r\n")
        if not ended:
            return None
        if not line.startswith(b"INFO {"):
            return f"greets with {line[:100].decode(errors='replace')!r}"
        return "is about to stop" if _LEAVING.search(line) else ""
