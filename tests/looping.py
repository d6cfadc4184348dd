"""An event loop in a thread, so that a test can speak with plain sockets to what runs on it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["Looping"]

_T = TypeVar("_T")
_WITHIN = 30.0


class Looping:
    """Runs a loop; `close` ends it and fails when a task or an error of the loop is left."""

    def __init__(
        self, loop_factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    ) -> None:
        self._factory = loop_factory
        self._errors: list[dict[str, Any]] = []
        self._left: set[str] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._work, name="looping", daemon=True)
        self._thread.start()
        assert self._ready.wait(_WITHIN), "the loop does not start"

    def do(self, coroutine: Coroutine[Any, Any, _T], within: float = _WITHIN) -> _T:
        """Run `coroutine` on the loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(within)

    def call(self, function: Callable[..., _T], *arguments: Any, **named: Any) -> _T:
        """Call `function` on the loop and return what it returns."""

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

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_WITHIN)
        assert not self._thread.is_alive(), "the loop does not end"
        assert not self._left, f"tasks left: {self._left}"
        assert not self._errors, f"errors of the loop: {self._errors}"

    def _work(self) -> None:
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
