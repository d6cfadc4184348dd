"""A fake engine on a loop, and a wait for what is to come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.fake_engine import FakeEngine

Play = Callable[[Callable[[FakeEngine], Coroutine[Any, Any, None]]], None]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Return what runs a story with a fake engine that has started."""

    def run(story: Callable[[FakeEngine], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            engine = FakeEngine(tmp_path / "s")
            await engine.start()
            try:
                async with asyncio.timeout(20):
                    await story(engine)
            finally:
                await engine.stop()

        asyncio.run(whole())

    return run


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
