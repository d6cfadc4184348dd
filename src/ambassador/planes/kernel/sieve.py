"""Which of conntrack's events the kernel is to tell: a program for its packet filter. Pure.

A connection has six events in its life and two or three of them matter, so the others are left out
before they reach us (classic BPF: kernel documentation, "Linux Socket Filtering"; the extensions
for netlink attributes: SKF_AD_NLATTR in include/uapi/linux/filter.h).
"""

from __future__ import annotations

from socket import IPPROTO_TCP, htonl, htons
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
_ORIG, _TUPLE_PROTO, _PROTO_NUM = 1, 2, 1  # CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_PROTO_NUM
_NOTHING, _ALL = 0, 0xFFFFFFFF  # how much of a message is kept


def _find(kind: int, otherwise: str) -> tuple[_Step, ...]:
    """Return the steps to the place of an attribute, or to `otherwise` where there is none."""
    first: tuple[_Step, ...] = ((_LOAD_VALUE, 0, 0, ATTRIBUTES), (_LOAD_X, 0, 0, kind), _FIND)
    return (*first, (_EQUAL, otherwise, "", 0))


def _find_inside(kind: int, otherwise: str) -> tuple[_Step, ...]:
    """Return the steps from the place of an attribute to one inside."""
    return ((_LOAD_X, 0, 0, kind), _FIND_INSIDE, (_EQUAL, otherwise, "", 0))


def _value_of(load: int) -> tuple[_Step, ...]:
    """Return the steps from the place of an attribute to its value."""
    return ((_A_TO_X, 0, 0, 0), (load, 0, 0, 4))


def _tcp_state(otherwise: str) -> tuple[_Step, ...]:
    """Return the steps from what conntrack says of the protocol to the state of TCP."""
    inner = (*_find_inside(_TCP, otherwise), *_find_inside(_STATE, otherwise))
    return (*inner, *_value_of(_LOAD_BYTE_AT))


# Goes on with what is translated, and drops what is not.
_TRANSLATED: tuple[_Step, ...] = (
    *_find(STATUS, otherwise=_DROP),
    *_value_of(_LOAD_WORD_AT),
    (_ANY_BIT, "", _DROP, DST_NAT),
)


def sieve(delete: int, port: int) -> bytes:
    """Return the program that lets through, of translated flows only: that one begins, that its
    entry is deleted (a message of type `delete`), and that a connection is over.

    Not what is `vanishing`, nor what the socket of this `port` enters.
    """
    steps: list[_Step | str] = [
        *_TRANSLATED,
        (_LOAD_HALF, 0, 0, _TYPE),
        (_EQUAL, "deleted", "", htons(delete)),
        (_LOAD_WORD, 0, 0, _PORT),
        (_EQUAL, _DROP, "", htonl(port)),
        (_LOAD_HALF, 0, 0, _FLAGS),
        (_ANY_BIT, _KEEP, "", htons(CREATE)),
        *_find(PROTOINFO, otherwise=_DROP),
        *_tcp_state(otherwise=_DROP),
        *((_EQUAL, _KEEP, "", state) for state in TCP_OVER),
        (_RETURN, 0, 0, _NOTHING),
        "deleted",
        (_LOAD_WORD, 0, 0, _PORT),
        (_EQUAL, _KEEP, "", htonl(port)),
        *_find(TIMEOUT, otherwise=_KEEP),
        *_find(PROTOINFO, otherwise="stateless"),
        *_tcp_state(otherwise=_KEEP),
        *((_EQUAL, _DROP, "", state) for state in LIVING),
        (_RETURN, 0, 0, _ALL),
        "stateless",  # UDP; before Linux 5.11 TCP too, and whether it went on is not told
        *_find(_ORIG, otherwise=_KEEP),
        *_find_inside(_TUPLE_PROTO, otherwise=_KEEP),
        *_find_inside(_PROTO_NUM, otherwise=_KEEP),
        *_value_of(_LOAD_BYTE_AT),
        (_EQUAL, _KEEP, _DROP, IPPROTO_TCP),
    ]
    return _program(steps)


def vanishing(port: int) -> bytes:
    """Return the program that lets through, of messages of deleted entries: those of translated
    flows that went on and whose time was not over, unless `port` asked for it.
    """
    steps: list[_Step | str] = [
        (_LOAD_WORD, 0, 0, _PORT),
        (_EQUAL, _DROP, "", htonl(port)),
        *_TRANSLATED,
        *_find(TIMEOUT, otherwise=_DROP),
        *_find(PROTOINFO, otherwise=_KEEP),  # UDP has none
        *_tcp_state(otherwise=_DROP),
        *((_EQUAL, _KEEP, "", state) for state in LIVING),
    ]
    return _program(steps)


def _program(steps: list[_Step | str]) -> bytes:
    """Return `steps`, where a text names the step after it, and what drops or keeps a message
    after them: to drop it comes first.
    """
    places: dict[str, int] = {}
    program: list[_Step] = []
    end: list[_Step | str] = [_DROP, (_RETURN, 0, 0, _NOTHING), _KEEP, (_RETURN, 0, 0, _ALL)]
    for step in [*steps, *end]:
        if isinstance(step, str):
            places[step] = len(program)
        else:
            program.append(step)

    def jump(label: str | int, place: int) -> int:
        return places[label] - place - 1 if isinstance(label, str) and label else 0

    return b"".join(
        _INSTRUCTION.pack(code, jump(true, place), jump(false, place), k)
        for place, (code, true, false, k) in enumerate(program)
    )
