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
    """A store for the operator's wishes, which outlives the program."""

    def load(self) -> tuple[Wish, ...]:
        """Return what was saved last; empty when nothing was ever saved.

        Raises ConfigError when the stored text makes no sense: it is left as it is.
        """

    def save(self, wishes: Collection[Wish]) -> None:
        """Save `wishes` in place of the earlier ones. When it returns they are on disk; when it
        raises StoreError the earlier ones still are.
        """


class MemoryStore(Protocol):
    """A store for what followers decided last, which outlives the program."""

    def load(self) -> Memories:
        """Return what was saved last; empty when nothing was ever saved, or when it makes no sense:
        followers then ask their members.
        """

    def save(self, memories: Memories) -> None:
        """Save `memories` in place of the earlier ones. When it returns they are on disk; when it
        raises StoreError the earlier ones still are.
        """


class HistoryStore(Protocol):
    """A store for the operator's last changes, which outlives the program."""

    def load(self) -> History:
        """Return what was saved last; empty when nothing was ever saved, or when it makes no
        sense.
        """

    def save(self, history: History) -> None:
        """Save `history` in place of the earlier one. When it returns it is on disk; when it raises
        StoreError the earlier one still is.
        """
