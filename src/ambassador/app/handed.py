"""What one ambassador hands over to the next beside sockets, sessions and counters: one JSON
object, with the operator's wishes as `store` writes them, and one key for each other part.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager
from importlib import import_module

from ambassador.control.reconciler import Reconciler
from ambassador.core.wish import Wish

__all__ = ["ENDINGS", "HISTORY", "PRIMARIES", "WOKEN", "go_on", "handing", "part", "prepared"]

_Still = Callable[[bool], AbstractAsyncContextManager[tuple[Wish, ...]]]

PRIMARIES = "primaries"  # what followers remember; see core.follow.memory
HISTORY = "history"  # the changes made; see store.FileHistory
ENDINGS = "endings"  # actions that go on for a while; see core.ending
WOKEN = "woken"  # which containers were woken; see engine.woken


def handing(reconciler: Reconciler, woken: Callable[[], str]) -> Callable[[Collection[Wish]], str]:
    """Return a function that writes wishes as text, with all else that `reconciler` and `woken`
    have.
    """

    def written(wishes: Collection[Wish]) -> str:
        # Needed only for an upgrade, and for what is left with workers.
        from ambassador.core import ending  # noqa: PLC0415
        from ambassador.core.follow.memory import encode  # noqa: PLC0415
        from ambassador.store import FileHistory, FileStore  # noqa: PLC0415

        parts = {
            PRIMARIES: encode(reconciler.switches.memories),
            HISTORY: FileHistory.encode(reconciler.record.history),
            ENDINGS: json.dumps(ending.encode(reconciler.endings)),
            WOKEN: woken(),
        }
        return json.dumps(json.loads(FileStore.encode(wishes)) | parts)

    return written


def prepared(still: _Still) -> _Still:
    """Return `still` (see Lending), which first loads what writing needs: 20 ms of imports, for
    which sessions do not wait.
    """

    def load() -> None:
        for name in ("core.ending", "core.follow.memory", "store", "planes.relay.outgoing"):
            import_module(f"ambassador.{name}")

    @contextlib.asynccontextmanager
    async def entered(passes: bool) -> AsyncIterator[tuple[Wish, ...]]:
        await asyncio.to_thread(load)
        async with still(passes) as wishes:
            yield wishes

    return entered


def go_on(reconciler: Reconciler, handed: bytes | None) -> None:
    """Continue the actions of the process that has `handed` this over."""
    if (text := part(handed, ENDINGS)) in ("", "[]"):
        return
    from ambassador.core.ending import decode  # noqa: PLC0415 (seldom there is some)

    with contextlib.suppress(ValueError):
        if endings := decode(json.loads(text)):
            reconciler.resume(endings)


def part(handed: bytes | None, key: str) -> str:
    """Return one part of what was `handed` over, as it was written; empty where it is missing, as
    from a version that does not have it.
    """
    try:
        return str(json.loads(handed or b"{}").get(key, ""))
    except (ValueError, AttributeError):
        return ""
