"""Files of networks, watched as long as a route names them."""

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

# A session of a network that was taken away ends within a second of the change.
_INTERVAL, _REST = 0.2, 0.3  # seconds; see FileWatch


class NetworkFiles:
    """Has `reconciler` take over each file of `lists` that has changed, as long as a route counts
    it: how many do is kept, since to ask thousands takes 4 ms of each change. `note` is for some of
    the steps of one change, `watch` when all were noted.
    """

    def __init__(self, lists: NetworkLists, reconciler: Reconciler) -> None:
        self._lists = lists
        self._reconciler = reconciler
        self._watching: dict[str, asyncio.Task[None]] = {}
        self._named = Counter[str]()

    def note(self, steps: Iterable[Step]) -> None:
        """Note what `steps` have changed."""
        for step in steps:
            gone, come = before_and_after(step)
            if gone is not None and (files := self._lists.files(gone)):
                self._named.subtract(files)
            if come is not None and (files := self._lists.files(come)):
                self._named.update(files)

    def watch(self) -> None:
        """Watch just the files that count for the routes there are now."""
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
