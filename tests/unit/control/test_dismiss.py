"""Clients that are held when the ambassador stops."""

import asyncio
from dataclasses import replace

from ambassador.control.dismiss import dismiss
from ambassador.control.stack import PlaneStack
from ambassador.model import Endpoint, Hold, Inet, Reason, Route
from ambassador.ports import SessionStatus
from ambassador.tasks import spawn
from tests.planes import FakePlane

ROUTE = Route("redis", Inet("", 6379), (Endpoint(Inet("a", 1)),))


def session(name, state):
    return SessionStatus(name, ROUTE, "10.0.0.1:1", None, "", 1.0, 0, 0, "relay", state)


def test_those_who_are_held_are_reset_and_no_other():
    plane = FakePlane()
    plane.open = [session("r1", "held"), session("r2", "open")]

    async def body():
        stack = PlaneStack(plane, ())
        await dismiss(stack, [ROUTE])  # ends at once: nobody is held
        assert not plane.cuts
        task = spawn(dismiss(stack, [replace(ROUTE, hold=Hold())]), "dismiss")
        while not plane.cuts:
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(body())
    assert plane.cuts == [("r1", Reason.SHUTDOWN)]
