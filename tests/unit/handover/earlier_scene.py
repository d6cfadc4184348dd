"""An earlier plane in front of a process with sessions of the test, and what can be handed over."""

from __future__ import annotations

import asyncio
import socket

from ambassador.errors import RunError
from ambassador.handover.counters import counters_of
from ambassador.handover.plane import EarlierPlane
from ambassador.handover.predecessor import Answers
from ambassador.model import Endpoint, Inet, Reason, Route
from ambassador.ports import Piece, SessionStatus
from tests.names import StaticResolver
from tests.planes import FakePlane

DB, OTHER = Endpoint(Inet("db", 5432)), Endpoint(Inet("10.0.0.9", 5432))
ROUTE = Route("db", Inet("", 5432), (DB,))


def session(name, endpoint=DB, address="10.0.0.2:5432", route=ROUTE, state="open"):
    return SessionStatus(name, route, "10.0.0.1:1", endpoint, address, 2.0, 3, 4, "relay", state)


class FakeHolder:
    """Implements ports.Holder: has many sockets, and remembers what it was told."""

    def __init__(self, count=1, refuses=""):
        self.sockets = [socket.socket() for _ in range(count)]
        self.refuses = refuses
        self.told = []
        self.others = []
        self.sessions = []
        self.over, self.alone = asyncio.Event(), asyncio.Event()

    passing = 1

    async def gather(self):
        self.told.append("gather")

    async def stop_accepting(self):
        self.told.append("stop accepting")

    def copies(self):
        given, self.sessions = self.sessions, []
        return iter(given)

    def freeze(self):
        self.told.append("freeze")
        return (Piece(b"late", ()),), b"state" * 100_000

    def gone(self):
        return 0

    def returned(self):
        self.told.append("returned")
        self.alone.set()

    async def lend(self, passes):
        if self.refuses:
            raise RunError(self.refuses)
        self.told.append("lend")
        return self.sockets, b"wishes" * 100_000

    def pause(self):
        self.told.append("pause")

    async def take_back(self):
        self.told.append("take back")
        self.over.set()

    async def give_up(self, successor):
        self.told.append(f"give up to {successor}")

    async def counters(self):
        self.over.set()
        return b"numbers", [one.dup() for one in self.others]

    def close(self):
        for sock in self.sockets:
            sock.close()


class Scene:
    """An earlier plane, and at the other end of its connection a process with a fake one."""

    def __init__(self) -> None:
        self.resolver = StaticResolver()
        for host, address in (("db", "10.0.0.2"), ("10.0.0.9",) * 2, ("10.0.0.2",) * 2):
            self.resolver.answer(host, address)
        self.earlier = EarlierPlane(self.resolver)
        self.plane = FakePlane("relay", opened=5, open=2, to_upstream=7, closed={Reason.CUT: 3})
        self.here, self.there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.there.setblocking(False)
        self.answers = Answers(self.there, self.plane, self.counters)

    async def counters(self):
        return {one.route.key: counters_of(one) for one in self.plane.status()}

    def status(self):
        (status,) = self.earlier.status([ROUTE])
        return status


async def until(condition):
    while not condition():
        await asyncio.sleep(0.005)
