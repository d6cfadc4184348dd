"""How long to try, and how long to wait between tries, while a client waits for its upstream."""

from __future__ import annotations

__all__ = ["FIRST_WAIT", "LONGEST_WAIT", "attempt_limit", "backoff"]

FIRST_WAIT = 0.05
# A service that comes back is found at most this long after it listens again; 1,000 waiting clients
# then make 2,000 attempts a second, which a machine can handle.
LONGEST_WAIT = 0.5
_EAGER = 8  # rounds before waits grow: a container listens some 0.3 s after it has its address
_SHORTEST_ATTEMPT = 0.2


def backoff(rounds: int, chance: float) -> float:
    """Return the seconds to wait after `rounds` (from 0) rounds without success.

    After the first rounds the wait is doubled each time, up to LONGEST_WAIT; `chance` in [0, 1)
    takes away up to half, so that clients that started together do not try again together.
    """
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(max(0, rounds - _EAGER), 16))
    return longest * (1 - chance / 2)


def attempt_limit(remaining: float, candidates: int) -> float:
    """Return the seconds one attempt may take when `remaining` seconds and `candidates`
    addresses (this one included) are left.

    Never more than half of what remains: a silent address must leave time to ask for its name
    again and to try what the answer says.
    """
    share = remaining / (candidates if candidates > 2 else 2)  # no max(): runs for each client
    if share < _SHORTEST_ATTEMPT:
        return remaining if remaining < _SHORTEST_ATTEMPT else _SHORTEST_ATTEMPT
    return share
