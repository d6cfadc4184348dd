import asyncio
import gc

from ambassador.tasks import spawn


async def turns():
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_task_has_its_name_and_outlives_the_last_reference():
    async def main():
        gate, done = asyncio.Event(), []

        async def work():
            await gate.wait()
            done.append(asyncio.current_task().get_name())

        spawn(work(), "worker")
        await turns()
        gc.collect()
        gate.set()
        await turns()
        return done

    assert asyncio.run(main()) == ["worker"]


def test_its_value_can_be_awaited():
    async def main():
        async def work():
            return 7

        return await spawn(work(), "worker")

    assert asyncio.run(main()) == 7


def test_a_crash_nobody_awaits_is_said_at_once(caplog):
    async def main():
        async def work():
            raise ValueError("broken")

        spawn(work(), "worker")
        await turns()
        assert "task worker failed" in caplog.text
        assert "ValueError: broken" in caplog.text

    asyncio.run(main())


def test_a_cancelled_task_is_no_crash(caplog):
    async def main():
        task = spawn(asyncio.Event().wait(), "worker")
        await turns()
        task.cancel()
        await turns()
        assert task.cancelled()

    asyncio.run(main())
    assert caplog.records == []
