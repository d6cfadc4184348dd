"""Ask /etc/hosts; Docker rewrites it when a linked container gets another address."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Collection, Iterator
from pathlib import Path

from ambassador.core.hostsfile import addresses_in
from ambassador.files import WatchedFile
from ambassador.resolve.answer import Answer

__all__ = ["HostsFile"]

_TTL = 1.0  # one stat(2) a second and name is cheap, and the file has no TTL of its own
_SEARCHED = 500 << 20  # bytes times names; above this, each line is split, without a search


class HostsFile:
    """The file, read again when it has changed. A file that cannot be read has no names.

    It is read in a thread, because a block list may have 150,000 lines; only names that were asked
    for are kept.
    """

    def __init__(self, path: Path = Path("/etc/hosts")) -> None:
        self._file = WatchedFile(path)
        self._found: dict[str, tuple[str, ...]] = {}
        self._wanted: set[str] = set()
        self._stale = False
        self._reading = asyncio.Lock()

    async def ask(self, name: str) -> Answer | None:
        """Return the addresses of `name`, or None when the file does not name it."""
        self._stale |= self._file.changed()
        self._wanted.add(name)
        if self._stale or name not in self._found:
            async with self._reading:  # another task may have read it meanwhile
                if self._stale or name not in self._found:
                    self._stale = False
                    wanted = frozenset(self._wanted)
                    self._found = await asyncio.to_thread(_read, self._file.path, wanted)
        addresses = self._found[name]
        return Answer(addresses, _TTL) if addresses else None

    def knows_not(self, name: str) -> bool:
        """Return whether it is known, without reading the file, that `name` is not in it."""
        self._stale |= self._file.changed()
        return not self._stale and name in self._found and not self._found[name]


def _read(path: Path, names: Collection[str]) -> dict[str, tuple[str, ...]]:
    try:
        raw = path.read_bytes()
    except OSError:
        raw = b""
    if len(raw) * len(names) > _SEARCHED:
        return addresses_in(io.StringIO(raw.decode(errors="replace")), names)
    return addresses_in(_lines_with(raw, names), names)


def _lines_with(raw: bytes, names: Collection[str]) -> Iterator[str]:
    """Yield the lines that may have one of `names`, in their order. A search for bytes holds the
    interpreter for a tenth of the time that splitting each line takes, and the loop needs it, too.
    """
    low, found = raw.lower(), dict[int, int]()
    for name in names:
        key, at = name.lower().rstrip(".").encode(), 0
        while key and (at := low.find(key, at)) >= 0:
            end = raw.find(b"\n", at)
            end = len(raw) if end < 0 else end
            found[raw.rfind(b"\n", 0, at) + 1] = end
            at = end
    for begin in sorted(found):
        yield raw[begin : found[begin]].decode(errors="replace")
