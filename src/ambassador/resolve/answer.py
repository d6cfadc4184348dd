"""One answer to "what are the addresses of this name", whoever gave it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Answer"]


@dataclass(frozen=True, slots=True)
class Answer:
    """IP literals, IPv4 first, and for how many seconds they may be used."""

    addresses: tuple[str, ...]
    ttl: float

    @classmethod
    def of(cls, addresses: Iterable[str], ttl: float) -> Answer:
        """Return an answer with each of `addresses` once, in their order but IPv4 first."""
        return cls(tuple(sorted(dict.fromkeys(addresses), key=lambda one: ":" in one)), ttl)
