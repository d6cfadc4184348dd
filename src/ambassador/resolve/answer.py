"""One answer to the question for the addresses of a name, from any source."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

from ambassador.resolve.repeat import Repeat

__all__ = ["Answer", "family", "is_literal"]


class Answer(NamedTuple):
    """IP literals, IPv4 first, and for how many seconds they may be used.

    `unanswered` are the families (4, 6) for which there was no answer: that is not the same as an
    answer without addresses. `repeat` is how to ask again at little cost, where that is needed
    often.
    """

    addresses: tuple[str, ...]
    ttl: float
    unanswered: frozenset[int] = frozenset()
    repeat: Repeat | None = None

    @classmethod
    def of(
        cls,
        addresses: Iterable[str],
        ttl: float,
        unanswered: Iterable[int] = (),
        repeat: Repeat | None = None,
    ) -> Answer:
        """Return an answer with each of `addresses` once, in their order but IPv4 first."""
        once = tuple(sorted(dict.fromkeys(addresses), key=family))
        return cls(once, ttl, frozenset(unanswered), repeat)


def family(address: str) -> int:
    """Return 4 or 6 for an IP literal."""
    return 6 if ":" in address else 4


@lru_cache(maxsize=4096)  # called for each session
def is_literal(host: str) -> bool:
    """Return whether `host` is an IP literal, perhaps with a zone."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
