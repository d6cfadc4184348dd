"""A text that outlives the process which writes it: in an unnamed file that others have, too.

Whoever reads finds the last text that was written whole, also where the writer was killed while it
wrote the next one: a new text goes beside the old one, and only then the number that says where
(8 bytes at the start of the file) is another.
"""

from __future__ import annotations

import os
import struct

__all__ = ["Text"]

_WHERE = struct.Struct("<II")  # offset and length
_LARGEST = 1 << 28


class Text:
    """Made anew, or what another process has made: then `descriptor` is of its file."""

    def __init__(self, descriptor: int | None = None) -> None:
        if descriptor is None:
            descriptor = os.memfd_create("ambassador", os.MFD_CLOEXEC)
        self.descriptor = descriptor

    def write(self, text: bytes) -> None:
        """Replace the text. Raises OSError where there is no room; the one before stands then."""
        offset, length = self._where()
        before = _WHERE.size + len(text) <= offset
        place = _WHERE.size if before or not length else offset + length
        if place + len(text) > _LARGEST:
            raise OSError("a text of this size is not kept")
        view = memoryview(text)
        while view:
            view = view[os.pwrite(self.descriptor, view, place + len(text) - len(view)) :]
        os.pwrite(self.descriptor, _WHERE.pack(place, len(text)), 0)

    def read(self) -> bytes:
        """Return the text; nothing where none was written."""
        offset, length = self._where()
        return os.pread(self.descriptor, min(length, _LARGEST), offset)

    def close(self) -> None:
        """Let go of it; others keep it."""
        os.close(self.descriptor)

    def _where(self) -> tuple[int, int]:
        found = os.pread(self.descriptor, _WHERE.size, 0)
        return _WHERE.unpack(found) if len(found) == _WHERE.size else (0, 0)
