"""The text of /etc/hosts (hosts(5)) as values."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

__all__ = ["HostsLine", "addresses_in", "parse_hosts"]


class HostsLine(NamedTuple):
    """One line: an IP literal and its names in the order written."""

    address: str
    names: tuple[str, ...]


def parse_hosts(text: str) -> tuple[HostsLine, ...]:
    """Return the lines that name something; any other line is left out, as libc does."""
    lines = []
    for raw in text.splitlines():
        words = raw.partition("#")[0].split()
        if len(words) > 1 and _is_address(words[0]):
            lines.append(HostsLine(words[0], tuple(words[1:])))
    return tuple(lines)


def addresses_in(lines: Iterable[str], names: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the addresses of each of `names` (case does not matter), IPv4 first, each address
    once. The lines are read once, however many names there are.
    """
    found: dict[str, dict[str, None]] = {name.lower().rstrip("."): {} for name in names}
    for line in lines:
        address, *known = line.partition("#")[0].split() or [""]
        for name in known:
            places = found.get(name.lower())
            if places is not None and _is_address(address):
                places[address] = None
    result = {}
    for name in names:
        places = found[name.lower().rstrip(".")]
        result[name] = tuple(sorted(places, key=lambda address: ":" in address))
    return result


@lru_cache(maxsize=1024)  # most lines of a block list are of one address
def _is_address(text: str) -> bool:
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True
