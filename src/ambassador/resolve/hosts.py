"""Ask /etc/hosts; Docker rewrites it when a linked container gets another address."""

from __future__ import annotations

from pathlib import Path

from ambassador.core.hostsfile import HostsLine, addresses_of, parse_hosts
from ambassador.resolve.answer import Answer
from ambassador.resolve.file import WatchedFile

__all__ = ["HostsFile"]

_TTL = 1.0  # one stat(2) a second and name is cheap, and the file has no TTL of its own


class HostsFile:
    """The file, read again when it has changed. A file that cannot be read names nothing."""

    def __init__(self, path: Path = Path("/etc/hosts")) -> None:
        self._file = WatchedFile(path)
        self._lines: tuple[HostsLine, ...] = ()

    def ask(self, name: str) -> Answer | None:
        """Return the addresses of `name`, or None when the file does not name it."""
        if self._file.changed():
            try:
                self._lines = parse_hosts(self._file.path.read_text(errors="replace"))
            except OSError:
                self._lines = ()
        addresses = addresses_of(name, self._lines)
        return Answer(addresses, _TTL) if addresses else None
