"""Run a test with an earlier process."""

import asyncio

import pytest

from ambassador.core.plan import AddRoute
from ambassador.handover.counters import HandedCounters
from ambassador.tasks import spawn
from tests.unit.handover.earlier_scene import ROUTE, Scene


@pytest.fixture
def run():
    """Run a test with a scene in which the process answers."""

    def running(test, answers=True):
        async def main():
            scene = Scene()
            await scene.plane.apply([AddRoute(ROUTE)])
            await scene.earlier.apply([AddRoute(ROUTE)])
            scene.earlier.take_over(HandedCounters(live=await scene.counters()), scene.here, [])
            answering = spawn(scene.answers.run() if answers else asyncio.sleep(60), "it")
            try:
                async with asyncio.timeout(10):
                    await test(scene)
            finally:
                answering.cancel()
                await asyncio.wait({answering})
                await scene.earlier.close()
                scene.there.close()

        asyncio.run(main())

    return running
