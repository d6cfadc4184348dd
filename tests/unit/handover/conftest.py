"""Run a test with a former process."""

import asyncio

import pytest

from ambassador.core.plan import AddRoute
from ambassador.handover.counters import Legacy
from ambassador.tasks import spawn
from tests.unit.handover.former_scene import ROUTE, Scene


@pytest.fixture
def run():
    """Run a test with a scene in which the process answers."""

    def running(test, answers=True):
        async def main():
            scene = Scene()
            await scene.plane.apply([AddRoute(ROUTE)])
            await scene.former.apply([AddRoute(ROUTE)])
            scene.former.take_over(Legacy(live=scene.accounts()), scene.here, [])
            answering = spawn(scene.stayer.run() if answers else asyncio.sleep(60), "it")
            try:
                async with asyncio.timeout(10):
                    await test(scene)
            finally:
                answering.cancel()
                await asyncio.wait({answering})
                await scene.former.close()
                scene.there.close()

        asyncio.run(main())

    return running
