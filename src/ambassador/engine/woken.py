"""Which containers were woken here: only these are stopped again, also after a restart."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from ambassador import log
from ambassador.errors import StoreError
from ambassador.files import replace_file
from ambassador.tasks import spawn

__all__ = ["Woken"]

_VERSION = 1
_NAME = "woken.json"
_MOST = 1000  # containers; removed ones count as well


class Woken:
    """For the id of each container, the time at which the engine says that it was started
    (`State.StartedAt`). Where somebody else has started a container since, that time differs, and
    it is not stopped.

    Kept in `folder`, if there is one. `handed` is what `encode` of a predecessor returned; it has
    precedence over the saved file.
    """

    def __init__(self, folder: Path | None = None, handed: str = "") -> None:
        self._path = folder / _NAME if folder is not None else None
        self._saving: asyncio.Task[None] | None = None
        self._started = _decode(handed) if handed else self._load()

    def __contains__(self, id_: str) -> bool:
        return id_ in self._started

    def started(self, id_: str) -> str:
        """Return when the container was started, as the engine said then; empty where it was not
        woken.
        """
        return self._started.get(id_, "")

    def add(self, id_: str, started: str) -> None:
        """Remember that the container was woken; `started` is empty where that time is unknown."""
        self._started[id_] = started
        while len(self._started) > _MOST:
            del self._started[next(iter(self._started))]
        self._save()

    def discard(self, id_: str) -> None:
        """Forget the container: it was stopped, or somebody else has started it."""
        if self._started.pop(id_, None) is not None:
            self._save()

    def encode(self) -> str:
        """Return the remembered containers as text."""
        return json.dumps({"version": _VERSION, "containers": self._started}) + "\n"

    def _load(self) -> dict[str, str]:
        try:
            return _decode(self._path.read_text(encoding="utf-8")) if self._path else {}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            text = f"{self._path} {error}: which containers were woken is not remembered"
            log.event(log.WARNING, "not_remembered", text)
            return {}

    def _save(self) -> None:
        if self._path is not None and self._saving is None:
            self._saving = spawn(self._written(self._path), "remember what was woken")

    async def _written(self, path: Path) -> None:
        text = ""
        try:
            while text != self.encode():  # it may change while it is written
                text = self.encode()
                await asyncio.to_thread(replace_file, path, text)
        except StoreError as error:
            log.event(log.ERROR, "not_kept", f"which containers were woken: {error}")
        finally:
            self._saving = None


def _decode(text: str) -> dict[str, str]:
    """Return the start times in `text`. Raises ValueError where it makes no sense."""
    whole: Any = json.loads(text)
    if not isinstance(whole, dict) or whole.get("version") != _VERSION:
        raise ValueError(f"is not of version {_VERSION}, which this program reads")
    containers = whole.get("containers")
    if not isinstance(containers, dict):
        raise ValueError("names no containers")
    return {str(id_): str(moment) for id_, moment in containers.items()}
