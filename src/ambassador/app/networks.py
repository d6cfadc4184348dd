"""Files of networks, watched as long as a route uses them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from ambassador.control.reconciler import Reconciler
from ambassador.core.plan import Step, before_and_after
from ambassador.sources.networks import NetworkLists
from ambassador.sources.watch import FileWatch
from ambassador.tasks import spawn

__all__ = ["NetworkFiles"]

# A session from a network that was removed ends within a second of the change.
_INTERVAL, _REST = 0.2, 0.3  # seconds; see FileWatch


class NetworkFiles:
    """Has `reconciler` read each file of `lists` again that has changed, as long as a route uses
    it. The number of routes of each file is counted, since looking at thousands of routes takes 4
    ms at each change. `note` may be called for parts of the steps of one change, `watch` after all
    parts.
    """

    def __init__(self, lists: NetworkLists, reconciler: Reconciler) -> None:
        self._lists = lists
        self._reconciler = reconciler
        self._watching: dict[str, asyncio.Task[None]] = {}
        self._named = Counter[str]()

    def note(self, steps: Iterable[Step]) -> None:
        """Count the files of the routes that `steps` have changed."""
        for step in steps:
            gone, come = before_and_after(step)
            if gone is not None and (files := self._lists.files(gone)):
                self._named.subtract(files)
            if come is not None and (files := self._lists.files(come)):
                self._named.update(files)

    def watch(self) -> None:
        """Watch exactly the files that the present routes use."""
        paths = (+self._named).keys()
        for path in self._watching.keys() - paths:
            self._watching.pop(path).cancel()
        self._lists.keep_only(paths)
        for path in paths - self._watching.keys():
            changed = partial(self._reconciler.renew_networks, path)
            watch = FileWatch(Path(path), changed, _INTERVAL, _REST)
            self._watching[path] = spawn(watch.run(), f"watch {path}")

    def close(self) -> None:
        """Watch nothing."""
        for task in self._watching.values():
            task.cancel()
        self._watching.clear()
