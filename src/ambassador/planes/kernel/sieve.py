"""The sieve: a program for the kernel's socket filter, which chooses the events of conntrack that
we get. Pure.

A connection has six events in its life, of which we need two or three: the kernel drops the others
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
    """Return the steps from the attribute of the protocol to the state of TCP."""
    inner = (*_find_inside(_TCP, otherwise), *_find_inside(_STATE, otherwise))
    return (*inner, *_value_of(_LOAD_BYTE_AT))


# Goes on with events of translated flows, and drops others.
_TRANSLATED: tuple[_Step, ...] = (
    *_find(STATUS, otherwise=_DROP),
    *_value_of(_LOAD_WORD_AT),
    (_ANY_BIT, "", _DROP, DST_NAT),
)


def sieve(delete: int, port: int) -> bytes:
    """Return the program that keeps these events of translated flows: one begins, its entry is
    deleted (a message of type `delete`), and a connection is over.

    Not the events of `vanishing`, nor of entries that the socket with this `port` makes.
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
        "stateless",  # UDP; before Linux 5.11 also TCP, without a sign whether it was open
        *_find(_ORIG, otherwise=_KEEP),
        *_find_inside(_TUPLE_PROTO, otherwise=_KEEP),
        *_find_inside(_PROTO_NUM, otherwise=_KEEP),
        *_value_of(_LOAD_BYTE_AT),
        (_EQUAL, _KEEP, _DROP, IPPROTO_TCP),
    ]
    return _program(steps)


def vanishing(port: int) -> bytes:
    """Return the program that keeps, of the events of deleted entries, those of translated flows
    that were open and whose time was not over, unless the socket with `port` deleted the entry.
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
    """Return the program of `steps`, where a text is a label for the step after it. After them come
    the steps that drop and that keep a message: without a jump it is dropped.
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
