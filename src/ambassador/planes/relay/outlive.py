"""Where, and for how long, workers wait for another relay when theirs was killed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Outlive", "waiting_place"]


@dataclass(frozen=True, slots=True)
class Outlive:
    """Workers go on accepting for so many `seconds` after the relay was killed, and wait beside the
    socket `admin` for the next one.
    """

    admin: Path
    seconds: float


def waiting_place(admin: Path, row: int) -> Path:
    """Return where the worker of a `row` waits for a relay, beside the admin socket."""
    return admin.with_name(f"{admin.name}.worker{row}")
