"""Ask /etc/hosts; Docker rewrites it when a linked container gets another address."""

from __future__ import annotations

from pathlib import Path

from ambassador.core.hostsfile import HostsLine, addresses_of, parse_hosts
from ambassador.resolve.answer import Answer

__all__ = ["HostsFile"]

_TTL = 1.0  # one stat(2) a second and name is cheap, and the file has no TTL of its own


class HostsFile:
    """The file, read again when it has changed."""

    def __init__(self, path: Path = Path("/etc/hosts")) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._lines: tuple[HostsLine, ...] = ()

    def ask(self, name: str) -> Answer | None:
        """Return the addresses of `name`, or None when the file does not name it."""
        try:
            stat = self._path.stat()
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if seen != self._seen:
                self._lines = parse_hosts(self._path.read_text(errors="replace"))
                self._seen = seen
        except OSError:
            return None  # no file: nothing is named
        addresses = addresses_of(name, self._lines)
        return Answer(addresses, _TTL) if addresses else None
