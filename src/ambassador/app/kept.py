"""What outlives the program: wishes, memories of followers, the history of changes. They are on
disk, or were handed over; where there is neither, none of this is imported.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ambassador.app.assemble import assigned
from ambassador.app.handed import HISTORY, PRIMARIES, part
from ambassador.core.follow.memory import Memories, decode
from ambassador.handover.successor import HandedHistory, HandedStore
from ambassador.ports import HistoryStore, MemoryStore, StateStore
from ambassador.settings import Settings
from ambassador.store import FileHistory, FileMemories, FileStore

__all__ = ["HandedMemories", "Kept", "kept"]


class Kept(NamedTuple):
    """The stores of wishes, memories and history."""

    store: StateStore
    history: HistoryStore
    memories: MemoryStore


def kept(settings: Settings, given: bytes | None) -> Kept | None:
    """Return the stores: a folder, where the settings name one; what was `given` by a predecessor
    has precedence. None where all of it ends with the program.
    """
    folder = Path(settings.state)
    files = Kept(FileStore(folder, assigned), FileHistory(folder, assigned), FileMemories(folder))
    if given is None:
        return files if settings.state else None
    store, history, memories = files if settings.state else (None, None, None)
    nowhere = Path("what was handed over")
    read = FileStore(nowhere, assigned).decode, FileHistory(nowhere, assigned).decode
    return Kept(
        HandedStore(given.decode(errors="replace"), read[0], store),
        HandedHistory(part(given, HISTORY), read[1], history),
        HandedMemories(part(given, PRIMARIES), memories),
    )


class HandedMemories:
    """Implements ports.MemoryStore: what was handed over counts as saved last."""

    def __init__(self, text: str, store: MemoryStore | None) -> None:
        self._text = text
        self._store = store

    def load(self) -> Memories:
        """Return the memories of the predecessor; see ports.MemoryStore."""
        try:
            return decode(self._text)
        except ValueError:  # from a predecessor that followed nothing
            return {}

    def save(self, memories: Memories) -> None:
        """Keep `memories`; see ports.MemoryStore."""
        if self._store is not None:
            self._store.save(memories)
