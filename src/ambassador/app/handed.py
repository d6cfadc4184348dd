"""What one ambassador hands over to the next beside sockets, sessions and counters: one JSON
object, the operator's wishes as `store` writes them, and a key for each other part.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection

from ambassador.control.reconciler import Reconciler
from ambassador.core.wish import Wish

__all__ = ["HISTORY", "PRIMARIES", "WOKEN", "handing", "part"]

PRIMARIES = "primaries"  # what followers remember; see core.follow.memory
HISTORY = "history"  # what was changed; see store.FileHistory
WOKEN = "woken"  # which containers were woken; see engine.woken


def handing(reconciler: Reconciler, woken: Callable[[], str]) -> Callable[[Collection[Wish]], str]:
    """Return what writes down wishes, and beside them all that `reconciler` and `woken` know."""

    def written(wishes: Collection[Wish]) -> str:
        # Only an upgrade needs it, and what is left to workers.
        from ambassador.core.follow.memory import encode  # noqa: PLC0415
        from ambassador.store import FileHistory, FileStore  # noqa: PLC0415

        parts = {
            PRIMARIES: encode(reconciler.switches.memories),
            HISTORY: FileHistory.encode(reconciler.record.history),
            WOKEN: woken(),
        }
        return json.dumps(json.loads(FileStore.encode(wishes)) | parts)

    return written


def part(handed: bytes | None, key: str) -> str:
    """Return one part of what was `handed` over, as it was written; empty where there is none, as
    of a version that does not know it.
    """
    try:
        return str(json.loads(handed or b"{}").get(key, ""))
    except (ValueError, AttributeError):
        return ""
