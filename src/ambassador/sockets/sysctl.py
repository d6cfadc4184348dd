"""Numeric settings of the kernel, also where /proc/sys cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["sysctl"]

# The kernel's own defaults (Documentation/networking/ip-sysctl.rst; somaxconn since Linux 5.4).
_DEFAULTS = {
    "net.core.somaxconn": (4096,),
    "net.ipv4.ip_unprivileged_port_start": (1024,),
    "fs.nr_open": (1048576,),
    "net.ipv4.ip_local_port_range": (32768, 60999),
}
_ROOT = Path("/proc/sys")


def sysctl(name: str, root: Path = _ROOT) -> Sequence[int]:
    """Return the numbers of a setting; the kernel's defaults where they cannot be read."""
    default = _DEFAULTS[name]
    try:
        found = [int(word) for word in root.joinpath(*name.split(".")).read_text().split()]
    except (OSError, ValueError):
        return default
    return found if len(found) == len(default) else default
