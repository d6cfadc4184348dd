"""Which of conntrack's events the kernel shall tell: a program for its packet filter. Pure.

A connection has six events in its life and two or three of them matter, so the others are left out
before they reach us (classic BPF: kernel documentation, "Linux Socket Filtering"; the extensions
for netlink attributes: SKF_AD_NLATTR in include/uapi/linux/filter.h).
"""

from __future__ import annotations

from socket import htonl, htons
from struct import Struct

from ambassador.planes.kernel.entry import DST_NAT, PROTOINFO, STATUS, TCP_OVER
from ambassador.planes.kernel.messages import ATTRIBUTES, CREATE
from ambassador.planes.kernel.revival import LIVING, TIMEOUT

__all__ = ["sieve", "vanishing"]

_Step = tuple[int, str, str, int] | tuple[int, int, int, int]
_KEEP, _DROP = "keep", "drop"

_INSTRUCTION = Struct("=HBBL")  # struct sock_filter: code, jump if true, jump if false, k
# Loads into A: a half word or the value at a fixed place, a word or a byte X + k bytes from the
# start; into X: a value, or A.
_LOAD_HALF, _LOAD_WORD, _LOAD_VALUE, _LOAD_WORD_AT, _LOAD_BYTE_AT = 0x28, 0x20, 0x00, 0x40, 0x50
_LOAD_X, _A_TO_X = 0x01, 0x07
_EQUAL, _ANY_BIT, _RETURN = 0x15, 0x45, 0x06
# A becomes the place of the attribute of type X among those from A on, or inside the one at A; 0
# where there is none.
_FIND = (0x20, 0, 0, 0xFFFFF000 + 12)
_FIND_INSIDE = (0x20, 0, 0, 0xFFFFF000 + 16)
_TYPE, _FLAGS, _PORT = 4, 6, 12  # in the header of a message, in the byte order of the machine
_TCP, _STATE = 1, 1  # CTA_PROTOINFO_TCP, CTA_PROTOINFO_TCP_STATE


# Goes on with what is translated, and drops what is not.
_TRANSLATED: tuple[_Step, ...] = (
    (_LOAD_VALUE, 0, 0, ATTRIBUTES),
    (_LOAD_X, 0, 0, STATUS),
    _FIND,
    (_EQUAL, _DROP, "", 0),
    (_A_TO_X, 0, 0, 0),
    (_LOAD_WORD_AT, 0, 0, 4),
    (_ANY_BIT, "", _DROP, DST_NAT),
)
# From what conntrack says of the protocol to the state of TCP; dropped where there is none.
_TCP_STATE: tuple[_Step, ...] = (
    (_LOAD_X, 0, 0, _TCP),
    _FIND_INSIDE,
    (_EQUAL, _DROP, "", 0),
    (_LOAD_X, 0, 0, _STATE),
    _FIND_INSIDE,
    (_EQUAL, _DROP, "", 0),
    (_A_TO_X, 0, 0, 0),
    (_LOAD_BYTE_AT, 0, 0, 4),
)


def sieve(delete: int) -> bytes:
    """Return the program that lets through, of translated flows only: that one begins, that its
    entry is deleted (a message of type `delete`), and that a connection is over.
    """
    keep, drop = _KEEP, _DROP
    steps: list[_Step] = [
        *_TRANSLATED,
        (_LOAD_HALF, 0, 0, _TYPE),
        (_EQUAL, keep, "", htons(delete)),
        (_LOAD_HALF, 0, 0, _FLAGS),
        (_ANY_BIT, keep, "", htons(CREATE)),
        (_LOAD_VALUE, 0, 0, ATTRIBUTES),
        (_LOAD_X, 0, 0, PROTOINFO),
        _FIND,
        (_EQUAL, drop, "", 0),
        *_TCP_STATE,
        *((_EQUAL, keep, "", state) for state in TCP_OVER),
    ]
    return _program(steps)


def vanishing(port: int) -> bytes:
    """Return the program that lets through, of messages of deleted entries: those of translated
    flows that went on and whose time was not over, unless `port` asked for it.
    """
    keep, drop = _KEEP, _DROP
    steps: list[_Step] = [
        (_LOAD_WORD, 0, 0, _PORT),
        (_EQUAL, drop, "", htonl(port)),
        *_TRANSLATED,
        (_LOAD_VALUE, 0, 0, ATTRIBUTES),
        (_LOAD_X, 0, 0, TIMEOUT),
        _FIND,
        (_EQUAL, drop, "", 0),
        (_LOAD_VALUE, 0, 0, ATTRIBUTES),
        (_LOAD_X, 0, 0, PROTOINFO),
        _FIND,
        (_EQUAL, keep, "", 0),  # UDP has none
        *_TCP_STATE,
        *((_EQUAL, keep, "", state) for state in LIVING),
    ]
    return _program(steps)


def _program(steps: list[_Step]) -> bytes:
    """Return `steps`, and what drops or keeps a message after them: to drop it comes first."""
    steps = [*steps, (_RETURN, 0, 0, 0), (_RETURN, 0, 0, 0xFFFFFFFF)]
    places = {_KEEP: len(steps) - 1, _DROP: len(steps) - 2}

    def jump(label: str | int, place: int) -> int:
        return places[label] - place - 1 if isinstance(label, str) and label else 0

    return b"".join(
        _INSTRUCTION.pack(code, jump(true, place), jump(false, place), k)
        for place, (code, true, false, k) in enumerate(steps)
    )
