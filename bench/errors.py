"""What may go wrong and is said in one line, while the rest goes on."""

from __future__ import annotations

__all__ = ["BenchError", "Missing"]


class BenchError(Exception):
    """The bench cannot go on, or what was asked of it makes no sense."""


class Missing(Exception):  # noqa: N818 (a finding, not a fault)
    """A peer, a load or a topology that cannot be had here; the text is the reason."""
