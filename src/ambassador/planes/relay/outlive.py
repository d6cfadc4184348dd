"""Where, and for how long, workers wait for the next relay when theirs was killed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Outlive", "waiting_place"]


@dataclass(frozen=True, slots=True)
class Outlive:
    """Workers go on accepting for so many `seconds` after the relay was killed, and wait for the
    next relay at sockets in the folder of the admin socket `admin`.
    """

    admin: Path
    seconds: float


def waiting_place(admin: Path, row: int) -> Path:
    """Return the path of the socket at which the worker of a `row` waits for the next relay."""
    return admin.with_name(f"{admin.name}.worker{row}")
