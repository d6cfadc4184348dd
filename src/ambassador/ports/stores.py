"""What outlives the program; see `ports`."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol

from ambassador.core.wish import Wish

if TYPE_CHECKING:
    from ambassador.core.follow.memory import Memories
    from ambassador.core.history import History

__all__ = ["HistoryStore", "MemoryStore", "StateStore"]


class StateStore(Protocol):
    """Where the operator's wishes outlive the program."""

    def load(self) -> tuple[Wish, ...]:
        """Return what was saved last; nothing when nothing ever was.

        Raises ConfigError when what is there makes no sense: it is left as it is.
        """

    def save(self, wishes: Collection[Wish]) -> None:
        """Keep `wishes` in place of what was kept. When it returns they are on disk; when it
        raises StoreError those saved before still are.
        """


class MemoryStore(Protocol):
    """Where what followers decided last outlives the program."""

    def load(self) -> Memories:
        """Return what was saved last; nothing when nothing ever was, or it makes no sense: what is
        not remembered is asked for.
        """

    def save(self, memories: Memories) -> None:
        """Keep `memories` in place of what was kept. When it returns they are on disk; when it
        raises StoreError those saved before still are.
        """


class HistoryStore(Protocol):
    """Where the operator's last changes outlive the program."""

    def load(self) -> History:
        """Return what was saved last; nothing when nothing ever was, or it makes no sense."""

    def save(self, history: History) -> None:
        """Keep `history` in place of what was kept. When it returns it is on disk; when it raises
        StoreError that saved before still is.
        """
