import asyncio
import socket

from ambassador.planes.relay import keepalive
from ambassador.planes.relay.keepalive import Keepalives
from ambassador.planes.relay.pair import Pair
from ambassador.planes.relay.poller import Poller


def test_who_lives_gets_a_keepalive_and_who_does_not_costs_nothing(monkeypatch):
    monkeypatch.setattr(keepalive, "_AFTER", 0.01)
    monkeypatch.setattr(keepalive, "_PIECE", 2)

    async def living():
        poller = Poller(4096, lambda error: None)
        keepalive = Keepalives()
        sockets = [socket.socket() for _ in range(7)]
        sides = [Pair(poller, sock).client for sock in sockets]
        for number, side in enumerate(sides):
            keepalive.add(side, 60.0 if number else 0.0)
        sides[1].closed = True
        sockets[2].close()  # unknown to its side: as bad as a reset one

        def kept():
            return [
                sock.fileno() >= 0 and sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
                for sock in sockets
            ]

        system = kept()[0]
        while kept()[-1] == system:
            await asyncio.sleep(0.005)
        seen = kept()
        keepalive.close()
        poller.close()
        for sock in sockets:
            sock.close()
        return seen, system

    seen, system = asyncio.run(asyncio.wait_for(living(), 10))
    assert seen == [system, system, False, 60, 60, 60, 60]


def test_with_nobody_to_see_to_there_is_no_timer(monkeypatch):
    monkeypatch.setattr(keepalive, "_AFTER", 0.001)

    async def idle():
        keepalive, poller = Keepalives(), Poller(4096, lambda error: None)
        with socket.socket() as sock:
            keepalive.add(Pair(poller, sock).client, 60.0)
            while keepalive._timer is not None:
                await asyncio.sleep(0.001)
        keepalive.close()
        poller.close()

    asyncio.run(asyncio.wait_for(idle(), 10))
