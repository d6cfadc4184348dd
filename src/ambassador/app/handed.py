"""What one ambassador hands over to the next beside sockets, sessions and counters: one JSON
object, the operator's wishes as `store` writes them, and a key for each other part.
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
HISTORY = "history"  # what was changed; see store.FileHistory
ENDINGS = "endings"  # what was begun and goes on for a while; see core.ending
WOKEN = "woken"  # which containers were woken; see engine.woken


def handing(reconciler: Reconciler, woken: Callable[[], str]) -> Callable[[Collection[Wish]], str]:
    """Return what writes down wishes, and beside them all that `reconciler` and `woken` know."""

    def written(wishes: Collection[Wish]) -> str:
        # Only an upgrade needs it, and what is left to workers.
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
    """Return `still` (see Lending) with all there that writing down needs: 20 ms of imports, which
    sessions do not wait for.
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
    """Go on with what was begun by the process that has `handed` this over."""
    if (text := part(handed, ENDINGS)) in ("", "[]"):
        return
    from ambassador.core.ending import decode  # noqa: PLC0415 (seldom there is some)

    with contextlib.suppress(ValueError):
        if endings := decode(json.loads(text)):
            reconciler.resume(endings)


def part(handed: bytes | None, key: str) -> str:
    """Return one part of what was `handed` over, as it was written; empty where there is none, as
    of a version that does not know it.
    """
    try:
        return str(json.loads(handed or b"{}").get(key, ""))
    except (ValueError, AttributeError):
        return ""
