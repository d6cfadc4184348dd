"""Health of a name server, over UDP and TCP: it answers the question for the root's SOA (RFC 1035
section 4).

Any answer counts, a refusal too: the server may be there for other names. Only SERVFAIL means that
it does not work: it is a resolver that reaches no other server.

Pure.
"""

from __future__ import annotations

import struct

__all__ = ["DnsProbe"]

_ID = 0x6162
_RECURSION, _ANSWER = 0x0100, 0x8000
_ROOT_SOA_IN = b"\0" + struct.pack("!HH", 6, 1)  # the empty name, type SOA, class IN
_SERVFAIL = 2
_HEAD = 12


class DnsProbe:
    """Implements ports.Probe; `stream`: over TCP, where each message follows its length."""

    def __init__(self, *, stream: bool) -> None:
        self._stream = stream

    def question(self, host: str) -> bytes:
        """Return the question for the SOA of the root; see ports.Probe."""
        said = struct.pack("!6H", _ID, _RECURSION, 1, 0, 0, 0) + _ROOT_SOA_IN
        return struct.pack("!H", len(said)) + said if self._stream else said

    def judge(self, answer: bytes) -> str | None:
        """Read the head of the answer; see ports.Probe."""
        message = answer[2:] if self._stream else answer
        if len(message) < _HEAD:
            short = self._stream and (len(answer) < 2 or int.from_bytes(answer[:2], "big") >= _HEAD)
            return None if short or not answer else "does not answer like a name server"
        number, flags = struct.unpack("!HH", message[:4])
        if number != _ID or not flags & _ANSWER:
            return "does not answer like a name server"
        return "answers with SERVFAIL" if flags & 0xF == _SERVFAIL else ""
