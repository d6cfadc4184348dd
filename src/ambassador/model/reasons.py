"""Why a session has ended, and what happens to a session whose endpoint has left its route."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

__all__ = ["Existing", "Fate", "Reason"]


class Fate(StrEnum):
    """What happens to an open session whose endpoint has left its route."""

    KEEP = "keep"  # it finishes on the old endpoint
    DRAIN = "drain"  # it may finish within a time, then it is cut
    CUT = "cut"  # it is cut: both sides see a reset


@dataclass(frozen=True, slots=True)
class Existing:
    """The policy for open sessions whose endpoint has left the route, whatever the cause."""

    fate: Fate = Fate.KEEP
    seconds: float = 0.0  # drain: after this time no session is left
    rate: int = 0  # cut: at most so many a second; 0: all at once
    by: tuple[tuple[Reason, Existing], ...] = ()  # other policies for single causes

    def of(self, reason: Reason) -> Existing:
        """Return what happens to sessions that leave for `reason`. Without a policy for demotions
        they are cut: the member would answer them with errors for ever. Sessions of clients that
        may not come in any more are cut, too, where the general policy is `keep`.
        """
        for cause, policy in self.by:
            if cause is reason:
                return policy
        if reason is Reason.DENIED and self.fate is Fate.KEEP:
            return Existing(Fate.CUT)
        if reason is Reason.DEMOTED:
            return Existing(Fate.CUT)
        return replace(self, by=()) if self.by else self


class Reason(StrEnum):
    """Why a session has ended; the first cause counts."""

    __hash__ = str.__hash__  # Enum's own is written in Python; it is used for each session

    CLIENT = "client"  # the client ended first
    UPSTREAM = "upstream"  # the endpoint ended first
    CLIENT_RESET = "client_reset"
    UPSTREAM_RESET = "upstream_reset"
    UNREACHABLE = "unreachable"  # no endpoint answered within the route's `connect`
    TIMEOUT = "timeout"  # held for longer than the hold allows; UDP: silent for `idle`
    REFUSED = "refused"  # too many clients are held; UDP: no descriptor was left
    CUT = "cut"  # by the operator
    MOVED = "moved"  # its endpoint left the route
    DEMOTED = "demoted"  # its endpoint is no longer the primary
    MAINT = "maint"  # its endpoint went into maintenance
    DRAINED = "drained"  # the deadline of a drain was over
    UNHEALTHY = "unhealthy"  # its endpoint failed its probes
    REMOVED = "removed"  # its route was removed
    DENIED = "denied"  # its client may not come in, or no longer may
    LIMIT = "limit"  # the route has as many sessions as it may
    LIMIT_CLIENT = "limit_client"  # its client has as many sessions as it may
    RATE = "rate"  # too many came in a short time
    HANDSHAKE = "handshake"  # its TLS handshake failed
    IDENTITY = "identity"  # its identity may not come in
    BANNED = "banned"  # its client was refused too often lately
    PROXY_SENDER = "proxy_sender"  # the sender may not send a PROXY header here
    PROXY_MALFORMED = "proxy_malformed"  # what the sender sent is no PROXY header
    PROXY_LONG = "proxy_long"  # its PROXY header is too long
    PROXY_CRC = "proxy_crc"  # the checksum of its PROXY header is wrong
    PROXY_CUT = "proxy_cut"  # it ended before its PROXY header did
    PROXY_SLOW = "proxy_slow"  # its PROXY header took too long
    SHUTDOWN = "shutdown"
    RESET = "reset"  # a reset in the kernel, which does not say by which side
    UNKNOWN = "unknown"  # in the kernel, where its end was not seen
