"""A text that outlives the process which writes it: in an unnamed file that other processes share.

A reader finds the last text that was written whole, even if the writer was killed while it wrote
the next one: a new text is written beside the old one, and only then the 8 bytes at the start of
the file, which say where the text is, are changed.
"""

from __future__ import annotations

import os
import struct

__all__ = ["Text"]

_WHERE = struct.Struct("<II")  # offset and length
_LARGEST = 1 << 28


class Text:
    """Makes a new file, or has that of another process as `descriptor`."""

    def __init__(self, descriptor: int | None = None) -> None:
        if descriptor is None:
            descriptor = os.memfd_create("ambassador", os.MFD_CLOEXEC)
        self.descriptor = descriptor

    def write(self, text: bytes) -> None:
        """Replace the text. Raises OSError where there is no room; the old text stays then."""
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
        """Return the text; empty where none was written."""
        offset, length = self._where()
        return os.pread(self.descriptor, min(length, _LARGEST), offset)

    def close(self) -> None:
        """Close the file in this process; other processes keep it."""
        os.close(self.descriptor)

    def _where(self) -> tuple[int, int]:
        found = os.pread(self.descriptor, _WHERE.size, 0)
        return _WHERE.unpack(found) if len(found) == _WHERE.size else (0, 0)
