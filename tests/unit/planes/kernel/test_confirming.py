"""Who has not been told that a connection is cut is told in another way, or named."""

import asyncio
import socket

import pytest

from ambassador.errors import PlaneError
from ambassador.planes.kernel import confirming
from ambassador.planes.kernel.confirming import Confirming, untold
from ambassador.planes.kernel.marks import ENTERED_MARK, MARK
from ambassador.planes.kernel.poke import Poke
from tests.unit.planes.kernel.test_revival import FOUR, vanished

FLOW = vanished(places=FOUR).flow._replace(id=7)
CLIENT, UPSTREAM = (*FLOW.client, FLOW.listen[1]), (*FLOW.upstream, FLOW.nat[1])


class Kernel:
    """Conntrack and poker at once; `deaf` until entries were made, or whatever is done."""

    def __init__(self, *, deaf_for_ever=False):
        self.entered, self.poked, self.looks = [], [], 0
        self._deaf_for_ever = deaf_for_ever

    async def enter_cut(self, flows):
        self.entered += flows

    async def poke(self, flows, poke, mark):
        self.poked += [(flow.id, poke, mark) for flow in flows]

    async def felt(self, families):
        assert families == {socket.AF_INET}
        self.looks += 1
        return {CLIENT, UPSTREAM} if self.entered and not self._deaf_for_ever else {UPSTREAM}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    tries = tuple(one._replace(pause=0.0) for one in confirming._TRIES)
    monkeypatch.setattr(confirming, "_TRIES", tries)
    monkeypatch.setattr(confirming, "_GATHER", 0.0)
    monkeypatch.setattr(confirming, "end_here", lambda _side: False)


def test_an_entry_is_made_where_the_first_way_fails_and_not_before():
    kernel = Kernel()
    one = Confirming(kernel, kernel, kernel.felt)
    assert asyncio.run(one.untold([FLOW])) == []
    assert kernel.looks == 3
    assert kernel.entered == [FLOW]
    assert kernel.poked == [(7, Poke.HANDSHAKE, ENTERED_MARK)]


def test_what_has_an_entry_is_asked_again_as_part_of_it():
    kernel = Kernel()
    one = Confirming(kernel, kernel, kernel.felt)

    async def cut():
        await one.poke([FLOW], Poke.PLAIN)
        await one.untold([FLOW])
        await one.poke([FLOW], Poke.PLAIN)

    asyncio.run(cut())
    assert kernel.poked == [
        (7, Poke.PLAIN, MARK),
        (7, Poke.HANDSHAKE, ENTERED_MARK),
        (7, Poke.HANDSHAKE, ENTERED_MARK),
    ]


def test_a_peer_here_has_its_socket_ended_when_nothing_else_helps(monkeypatch):
    asked = []
    monkeypatch.setattr(confirming, "end_here", lambda side: asked.append(side.peer) or True)
    kernel = Kernel(deaf_for_ever=True)
    assert asyncio.run(Confirming(kernel, kernel, kernel.felt).untold([FLOW])) == []
    assert asked == [FLOW.client, FLOW.upstream]
    assert kernel.entered


def test_whom_nothing_reaches_is_named_once(caplog):
    kernel = Kernel(deaf_for_ever=True)
    one = Confirming(kernel, kernel, kernel.felt)

    async def cut():
        one.begin([FLOW])
        one.begin([FLOW._replace(id=8)])
        await one.settle()

    asyncio.run(cut())
    (said,) = [record for record in caplog.records if record.event == "cut_not_felt"]
    assert said.fields["sessions"] == 2
    assert "2 of 2 sessions are cut" in untold([FLOW, FLOW], 2)
    assert "10.0.0.8:4000" in untold([FLOW], 1)


def test_nothing_is_said_where_nobody_can_look(caplog):
    async def blind(_families):
        raise PlaneError("nft is gone")

    kernel = Kernel()
    one = Confirming(kernel, kernel, blind)

    async def cut():
        one.begin([FLOW])
        await one.settle()
        with pytest.raises(PlaneError):
            await one.untold([FLOW])

    asyncio.run(cut())
    assert not caplog.records
