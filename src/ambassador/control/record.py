"""The record of the operator's changes; `core.history` decides what is in it."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ambassador import log
from ambassador.core.wish import Wish
from ambassador.errors import AmbassadorError, StoreError
from ambassador.model import Route, RouteKey
from ambassador.ports import HistoryStore

if TYPE_CHECKING:
    from ambassador.core.history import History
    from ambassador.core.results import ChangeList

__all__ = ["Record"]


class Record:
    """Notes changes; `store` keeps them (without one, they end with the program)."""

    def __init__(self, store: HistoryStore | None) -> None:
        self._store = store
        self.history: History = ()
        self.changed: Callable[[], None] = lambda: None  # called each time the history has changed

    def load(self) -> None:
        """Load the changes that were made before."""
        if self._store is not None:
            self.history = self._store.load()

    async def note(
        self,
        before: Mapping[RouteKey, Wish],
        after: Mapping[RouteKey, Wish],
        *,
        who: str,
        when: float,
        what: str,
        undone: int = 0,
    ) -> None:
        """Note what was changed from `before` to `after`; see `core.history.noted`."""

        def changed() -> History:
            from ambassador.core.history import noted  # noqa: PLC0415 (with the first change)

            return noted(self.history, before, after, who=who, when=when, what=what, undone=undone)

        # In a thread: a command may have changed thousands.
        await self._keep(await to_thread(changed))

    async def note_failure(
        self, route: Route, who: str, when: float, what: str, error: AmbassadorError
    ) -> None:
        """Note a change of `route` that was tried and failed."""
        from ambassador.core.history import failed  # noqa: PLC0415 (the same)

        why = str(error)
        await self._keep(failed(self.history, route, who=who, when=when, what=what, why=why))

    def told(self, key: RouteKey | None, limit: int) -> ChangeList:
        """Return the changes of the route `key`, or of all, the newest first."""
        from ambassador.core.history import told  # noqa: PLC0415 (the same)

        return told(self.history, key, limit)

    async def _keep(self, history: History) -> None:
        if history is self.history or history == self.history:
            return
        self.history = history
        self.changed()
        if self._store is None:
            return
        try:
            await to_thread(self._store.save, history)
        except StoreError as error:
            log.event(log.ERROR, "not_kept", f"the history is not kept: {error}")
