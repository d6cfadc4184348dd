"""One answer to "what are the addresses of this name", whoever gave it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Answer"]


@dataclass(frozen=True, slots=True)
class Answer:
    """IP literals, IPv4 first, and for how many seconds they may be used."""

    addresses: tuple[str, ...]
    ttl: float
