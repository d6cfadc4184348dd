"""The netlink messages that make a table which belongs to a socket of ours. Pure.

The kernel deletes the table when the socket is closed, or its process is gone (NFT_TABLE_F_OWNER,
Linux 5.12; nft(8), "owner"). The structures are those of
include/uapi/linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from typing import NamedTuple

from ambassador.planes.kernel.messages import ACK, CREATE, EXCLUSIVE, NEST, attribute, message

__all__ = [
    "REGISTER",
    "U32",
    "Chain",
    "batch",
    "compare",
    "expression",
    "request",
    "text",
    "whole",
]

_SUBSYSTEM = 10  # NFNL_SUBSYS_NFTABLES
_BEGIN, _END = 16, 17  # NFNL_MSG_BATCH_*
_TABLE, _CHAIN, _RULE = 0, 3, 6  # NFT_MSG_NEW*
_APPEND = 0x800  # NLM_F_APPEND
_INET = 1  # NFPROTO_INET
_FLAG_OWNER = 2  # NFT_TABLE_F_OWNER
U32 = Struct(">L")
_I32 = Struct(">l")
REGISTER = U32.pack(1)  # NFT_REG_1


class Chain(NamedTuple):
    """A chain at a hook (NF_INET_*): its name, its type, its priority, its rules in order."""

    name: str
    kind: str
    hook: int
    priority: int
    rules: Sequence[bytes]


def batch(table: str, chains: Iterable[Chain], number: Callable[[], int]) -> list[bytes]:
    """Return the transaction that makes `table`; `number` returns the next sequence number."""
    named = attribute(1, text(table))  # NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE
    owner = named + attribute(2, U32.pack(_FLAG_OWNER))
    requests = [request(_TABLE, owner, number(), CREATE | EXCLUSIVE)]
    for chain in chains:
        # NFTA_HOOK_HOOKNUM and _PRIORITY; NFTA_CHAIN_NAME, _HOOK and _TYPE
        at = attribute(1, U32.pack(chain.hook)) + attribute(2, _I32.pack(chain.priority))
        body = attribute(3, text(chain.name)) + attribute(NEST | 4, at)
        body += attribute(7, text(chain.kind))
        requests.append(request(_CHAIN, named + body, number(), CREATE))
        for rule in chain.rules:
            # NFTA_RULE_CHAIN and _EXPRESSIONS
            body = attribute(2, text(chain.name)) + attribute(NEST | 4, rule)
            requests.append(request(_RULE, named + body, number(), CREATE | _APPEND))
    return whole(requests)


def request(kind: int, body: bytes, number: int, flags: int = 0) -> bytes:
    """Return one request of a transaction, of the type `kind` (NFT_MSG_*), for family inet."""
    return message(_SUBSYSTEM << 8 | kind, ACK | flags, number, _INET, body)


def whole(requests: Iterable[bytes]) -> list[bytes]:
    """Return the transaction of `requests`."""
    # Both ends have number 0: `transact` waits for the answer to the last numbered request.
    return [
        message(_BEGIN, 0, 0, 0, b"", resource=_SUBSYSTEM),
        *requests,
        message(_END, 0, 0, 0, b"", resource=_SUBSYSTEM),
    ]


def expression(name: str, data: bytes) -> bytes:
    """Return one expression of a rule."""
    return attribute(NEST | 1, attribute(1, text(name)) + attribute(NEST | 2, data))


def compare(value: bytes, *, equal: bool = True) -> bytes:
    """Return the expression by which a rule matches where the register is `value`, or is not."""
    return expression(
        "cmp",
        attribute(1, REGISTER)  # NFTA_CMP_SREG
        + attribute(2, U32.pack(0 if equal else 1))  # NFTA_CMP_OP: NFT_CMP_EQ, NFT_CMP_NEQ
        + attribute(NEST | 3, attribute(1, value)),  # NFTA_CMP_DATA
    )


def text(word: str) -> bytes:
    """Return `word` as the kernel reads it."""
    return word.encode() + b"\0"
