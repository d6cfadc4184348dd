"""Moments for people: always in the same form, with the time zone."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["format_moment"]


def format_moment(when: float) -> str:
    """Return `when` (seconds since 1970) as `2026-01-31 14:05:09 UTC`, as in the log."""
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
