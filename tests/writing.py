"""Two writers to a store, on a kept connection and on one for each write."""

from __future__ import annotations

import threading

from tests.netns import Namespace

__all__ = ["Writing"]


class Writing:
    """Has `_write` run twice in `net`, until `stop`; knows when each write was acknowledged."""

    def __init__(self, net: Namespace) -> None:
        self.acknowledged: dict[str, float] = {}
        self.readonly = 0
        self.refused = 0
        self._net, self._on = net, True
        self._threads = [
            threading.Thread(target=self._write, args=(f"{name}-", name == "each"), daemon=True)
            for name in ("kept", "each")
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Write no longer."""
        self._on = False
        for thread in self._threads:
            thread.join(15)

    def _write(self, prefix: str, each: bool) -> None:
        raise NotImplementedError
