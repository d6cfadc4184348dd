"""Health of Redis and other RESP services: it answers PING. Pure."""

from __future__ import annotations

__all__ = ["RedisProbe"]

# The answer to a client without a password, or without the right to ask: such a server works.
# https://redis.io/docs/latest/commands/auth/ and .../operate/oss_and_stack/management/security/acl/
_WORKS = (b"-NOAUTH ", b"-NOPERM ", b"-ERR operation not permitted")


class RedisProbe:
    """Implements ports.Probe. `-LOADING`, `-MASTERDOWN` and every other error mean that it does not
    work.
    """

    def question(self, host: str) -> bytes:
        """Return PING; see ports.Probe."""
        return b"*1\r\n$4\r\nPING\r\n"

    def judge(self, answer: bytes) -> str | None:
        """Read the first line; see ports.Probe."""
        line, ended, _ = answer.partition(b"\r\n")
        if not ended:
            return None
        if line == b"+PONG" or line.startswith(_WORKS):
            return ""
        return f"answers PING with {line[:100].decode(errors='replace')!r}"
