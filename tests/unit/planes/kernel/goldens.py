"""The rulesets that stand as golden files: each is a name and what makes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ambassador.model import Proto
from ambassador.planes.kernel.layout import skeleton
from ambassador.planes.kernel.ruleset import (
    Share,
    Way,
    count,
    emptied,
    forgive,
    lease,
    transaction,
    uncount,
)

__all__ = ["FOLDER", "GOLDENS", "keyed"]

FOLDER = Path(__file__).parent / "golden"
TCP, UDP = Proto.TCP, Proto.UDP
A, B = Share("10.0.0.1", 7001), Share("10.0.0.2", 7002)
A6, B6 = Share("fd00::1", 7001), Share("fd00::2", 7002)

ONE = (Way(TCP, 6379, False, (A,)), Way(TCP, 6379, True, (A6,)))
DATAGRAMS = (Way(UDP, 53, False, (A,), idle=60), Way(UDP, 53, True, (A6,), idle=60))
SEVERAL = (
    Way(TCP, 5432, False, (Share("10.0.0.1", 7001, 3), B, Share("10.0.0.3", 7003))),
    Way(TCP, 5432, True, (A6, B6), random=True),
    Way(UDP, 514, False, (A, B), idle=5),
)
AT = (Way(TCP, 80, False, (A,), host="192.0.2.1"), Way(TCP, 80, True, (A6,), host="2001:db8::1"))
RANGE = tuple(Way(TCP, port, False, (Share("10.0.0.1", port + 1000),)) for port in (2000, 2001))


def keyed(*ways: Way) -> dict:
    return {way.key: way for way in ways}


def _added() -> str:
    every = (*ONE, *DATAGRAMS, *SEVERAL, *AT, *RANGE)
    ports = dict.fromkeys((way.proto, way.port) for way in every)
    return count(ports) + transaction({}, keyed(*every))


def _removed() -> str:
    every = (*ONE, *SEVERAL[:2], *AT)
    ports = dict.fromkeys((way.proto, way.port) for way in every)
    return transaction(keyed(*every), {}) + uncount(ports)


# In an order in which each can be loaded after the one before it.
GOLDENS: dict[str, Callable[[], str]] = {
    "table": skeleton,
    "added": _added,
    "moved": lambda: (
        transaction(keyed(ONE[0]), keyed(Way(TCP, 6379, False, (B,)))) + forgive([(TCP, 6379)])
    ),
    "moved_back": lambda: transaction(keyed(Way(TCP, 6379, False, (B,))), keyed(ONE[0])),
    "one_to_several": lambda: transaction(keyed(ONE[0]), keyed(Way(TCP, 6379, False, (A, B)))),
    "several_to_one": lambda: transaction(keyed(Way(TCP, 6379, False, (A, B))), keyed(ONE[0])),
    "removed": _removed,
    "lease": lambda: lease(lasting=True) + lease(lasting=False),
    "emptied": lambda: emptied(["one4", "spread4_udp_514", "udp4_60"]),
}
