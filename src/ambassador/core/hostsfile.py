"""The text of /etc/hosts (hosts(5)) as values."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

__all__ = ["HostsLine", "addresses_of", "parse_hosts"]


@dataclass(frozen=True, slots=True)
class HostsLine:
    """One line: an IP literal and its names in the order written."""

    address: str
    names: tuple[str, ...]


def parse_hosts(text: str) -> tuple[HostsLine, ...]:
    """Return the lines that name something; what is no such line is passed over, as libc does."""
    lines = []
    for raw in text.splitlines():
        words = raw.partition("#")[0].split()
        if len(words) > 1 and _is_address(words[0]):
            lines.append(HostsLine(words[0], tuple(words[1:])))
    return tuple(lines)


def addresses_of(name: str, lines: tuple[HostsLine, ...]) -> tuple[str, ...]:
    """Return the addresses of `name` (case does not matter), IPv4 first, each once."""
    wanted = name.lower().rstrip(".")
    found = dict.fromkeys(
        line.address for line in lines if wanted in (known.lower() for known in line.names)
    )
    return tuple(sorted(found, key=lambda address: ":" in address))


def _is_address(text: str) -> bool:
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True
