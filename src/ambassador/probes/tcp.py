"""Health of any service over TCP or a unix socket: it accepts connections. Pure."""

from __future__ import annotations

__all__ = ["TcpProbe"]


class TcpProbe:
    """Implements ports.Probe: nothing is sent or received."""

    def question(self, host: str) -> bytes:
        """Return nothing; see ports.Probe."""
        return b""

    def judge(self, answer: bytes) -> str | None:
        """Accept a connection as the answer; see ports.Probe."""
        return ""
