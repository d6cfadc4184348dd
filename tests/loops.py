"""An event loop in a thread of its own, in a network namespace if need be."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from ambassador.tasks import spawn
from tests.netns import Namespace

__all__ = ["LoopThread"]

_T = TypeVar("_T")
_WITHIN = 30.0


class LoopThread:
    """Runs coroutines and functions on its loop, so that a test can speak with plain sockets to
    what runs there; `close` proves that no task and no error is left.
    """

    def __init__(
        self,
        namespace: Namespace | None = None,
        factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
    ) -> None:
        self.loop: asyncio.AbstractEventLoop
        self._namespace = namespace
        self._factory = factory
        self._errors: list[dict[str, Any]] = []
        self._left: set[str] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        assert self._ready.wait(_WITHIN), "the loop does not start"

    def _work(self) -> None:
        if self._namespace is not None:
            self._namespace.enter()
        with asyncio.Runner(loop_factory=self._factory) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(lambda _, context: self._errors.append(context))
        self._stop = asyncio.Event()
        self._ready.set()
        await self._stop.wait()
        for _ in range(100):  # transports close in the loop's next turns
            await asyncio.sleep(0)
        me = asyncio.current_task()
        self._left = {task.get_name() for task in asyncio.all_tasks() if task is not me}

    def do(self, coroutine: Coroutine[Any, Any, _T], within: float = _WITHIN) -> _T:
        """Run `coroutine` on the loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(within)

    def start(self, coroutine: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Run `coroutine` on the loop; return what will have its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def call(self, function: Callable[..., _T], *arguments: Any, **named: Any) -> _T:
        """Call `function` on the loop's thread and return what it returns."""

        async def calling() -> _T:
            return function(*arguments, **named)

        return self.do(calling())

    def blocked(self) -> threading.Event:
        """Let the loop do nothing until the returned event is set."""
        reached, release = threading.Event(), threading.Event()

        def block() -> None:
            reached.set()
            assert release.wait(_WITHIN)

        self.loop.call_soon_threadsafe(block)
        assert reached.wait(_WITHIN)
        return release

    def longest_stall(self, coroutine: Coroutine[Any, Any, _T]) -> tuple[_T, float]:
        """Run `coroutine`; return what it returns and the longest time (in seconds) for which
        nothing else had its turn meanwhile, as time of the processor: what other processes of a
        busy machine take from this thread is not its fault. Nor is what the tests themselves have
        loaded: the collector does not walk through that.
        """
        gc.collect()
        gc.freeze()

        async def watched() -> tuple[_T, float]:
            longest, over = 0.0, False

            async def beat() -> None:
                nonlocal longest
                before = time.thread_time()
                while not over:
                    await asyncio.sleep(0)
                    now = time.thread_time()
                    longest, before = max(longest, now - before), now

            beating = spawn(beat(), "beat")
            await asyncio.sleep(0)
            try:
                result = await coroutine
                return result, longest
            finally:
                over = True
                await beating

        try:
            return self.do(watched())
        finally:
            gc.unfreeze()

    def close(self) -> None:
        """End the loop. Fails when a task or an error is left behind."""
        if not self._thread.is_alive():
            return
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_WITHIN)
        assert not self._thread.is_alive(), "the loop does not end"
        assert not self._left, f"tasks left: {self._left}"
        assert not self._errors, f"errors of the loop: {self._errors}"
