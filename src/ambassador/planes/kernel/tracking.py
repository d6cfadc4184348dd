"""The settings of connection tracking in this network namespace (kernel documentation,
networking/nf_conntrack-sysctl.rst). A container can read them, and cannot change them.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["Fill", "fill", "takes_up"]

_SETTINGS = Path("/proc/sys/net/netfilter")


class Fill(NamedTuple):
    """How many entries there are, and how many there can be."""

    entries: int
    limit: int


def fill(settings: Path = _SETTINGS) -> Fill | None:
    """Return how full the table is; None where this namespace does not show it."""
    try:
        entries = int((settings / "nf_conntrack_count").read_text())
        return Fill(entries, int((settings / "nf_conntrack_max").read_text()))
    except (OSError, ValueError):
        return None


def takes_up(settings: Path = _SETTINGS) -> bool:
    """Return whether an open connection without an entry gets one at its next segment, which is the
    kernel's default (nf_conntrack_tcp_loose).
    """
    try:
        return (settings / "nf_conntrack_tcp_loose").read_text().strip() != "0"
    except OSError:
        return True
