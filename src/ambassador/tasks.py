"""The one way to start a task: named, kept alive, and never silent about a crash."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["spawn"]

_T = TypeVar("_T")
_running: set[asyncio.Task[Any]] = set()
_log = logging.getLogger("ambassador")


def spawn(coroutine: Coroutine[Any, Any, _T], name: str) -> asyncio.Task[_T]:
    """Run `coroutine` as a task called `name` on the running loop and return the task.

    The loop holds tasks only weakly (asyncio documentation, create_task), so a reference is
    kept here until it ends; an exception nobody awaited is logged when it happens.
    """
    task = asyncio.get_running_loop().create_task(coroutine, name=name)
    _running.add(task)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and task.exception() is not None:
        _log.error("task %s failed", task.get_name(), exc_info=task.exception())
