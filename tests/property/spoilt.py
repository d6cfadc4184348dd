"""What becomes of a message on its way."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

__all__ = ["spoilt"]


def spoilt(data: bytes, seeds: Sequence[bytes], chance: Random, least: bytes) -> bytes:
    """Return `data` with up to three mistakes, one of `seeds` behind its begin, or more behind it;
    `least` where nothing is left.
    """
    found = bytearray(data)
    for _ in range(chance.randrange(4)):
        place = chance.randrange(len(found))
        match chance.randrange(5):
            case 0:
                found[place] = chance.randrange(256)
            case 1:
                del found[place : place + chance.randrange(1, 9)]
            case 2:
                found[place:place] = chance.randbytes(chance.randrange(1, 9))
            case 3:
                found[place:] = chance.choice(seeds)
            case _:
                found += chance.randbytes(chance.randrange(1, 60))
        found = found or bytearray(least)
    return bytes(found)
