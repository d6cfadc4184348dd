"""Endpoints that the relay could not reach."""

import asyncio
from dataclasses import replace

from ambassador.model import Endpoint, Inet, Route
from ambassador.planes.kernel.doubts import Doubts
from ambassador.planes.kernel.registry import Registry
from ambassador.planes.kernel.route import KernelRoute
from tests.clock import LoopWithClock, put_forward

END = Endpoint(Inet("10.0.0.1", 7000))


class Scene:
    def __init__(self, refusal=""):
        self.route = KernelRoute(Route("redis", Inet("", 6379), (END,)), refusal)
        self.changed = []
        registry = Registry()
        registry.swap([], [self.route])
        self.doubts = Doubts(registry, self.changed.append)

    async def later(self, seconds):
        put_forward(seconds)
        for _ in range(3):
            await asyncio.sleep(0)


def run(body):
    with asyncio.Runner(loop_factory=LoopWithClock) as runner:
        runner.run(body())


def test_one_that_failed_is_left_out_for_a_while_after_its_last_failure():
    async def body():
        it = Scene()
        it.doubts.noticed("redis", END, "", False)
        assert it.changed == [it.route]
        assert (END, "") in it.route.out
        await it.later(3.0)
        it.doubts.noticed("redis", END, "", False)
        await it.later(3.0)
        assert it.changed == [it.route]  # known already
        await it.later(3.0)
        assert it.changed == [it.route, it.route]
        assert it.route.out == {}

    run(body)


def test_one_that_answers_again_is_back_at_once_and_its_counted_failures_are_old():
    async def body():
        it = Scene()
        it.doubts.noticed("redis", END, "10.0.0.1", False)
        it.doubts.noticed("redis", END, "10.0.0.1", True)
        it.doubts.noticed("redis", END, "10.0.0.1", True)
        assert it.changed == [it.route, it.route]
        assert (it.route.out, it.route.forgive) == ({}, True)

    run(body)


def test_what_is_no_endpoint_of_a_route_in_the_kernel_is_not_heard():
    async def body():
        it, relayed = Scene(), Scene("no right to it")
        it.doubts.noticed("unknown", END, "", False)
        it.doubts.noticed("redis", replace(END, weight=2), "", False)
        relayed.doubts.noticed("redis", END, "", False)
        assert (it.changed, relayed.changed, it.route.out) == ([], [], {})

    run(body)


def test_nothing_comes_back_after_the_close():
    async def body():
        it = Scene()
        it.doubts.noticed("redis", END, "", False)
        it.doubts.close()
        it.doubts.noticed("redis", END, "10.0.0.1", False)
        await it.later(60.0)
        assert set(it.route.out) == {(END, ""), (END, "10.0.0.1")}

    run(body)
