"""Health of memcached: it returns its version (memcached's doc/protocol.txt, "version"). Pure."""

from __future__ import annotations

__all__ = ["MemcachedProbe"]


class MemcachedProbe:
    """Implements ports.Probe by the text protocol."""

    def question(self, host: str) -> bytes:
        """Return the question for the version; see ports.Probe."""
        return b"version\r\n"

    def judge(self, answer: bytes) -> str | None:
        """Read the first line; see ports.Probe."""
        line, ended, _ = answer.partition(b"\r\n")
        if not ended:
            return None
        if line.startswith(b"VERSION "):
            return ""
        return f"answers version with {line[:100].decode(errors='replace')!r}"
