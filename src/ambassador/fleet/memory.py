"""The last values from etcd, on disk: with them an ambassador can start while etcd is away."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from ambassador import log
from ambassador.core.fleet.picture import Value

__all__ = ["Memory"]

_VERSION = 1


class Memory:
    """Keeps values by their keys in `folder`, in one file that is replaced as a whole."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "fleet.json"

    def load(self) -> dict[str, Value]:
        """Return what was saved last; empty where nothing was, or where it makes no sense."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            if found["version"] != _VERSION:
                return {}
            return {
                str(key): Value(str(text), int(revision), int(lease))
                for key, (text, revision, lease) in found["values"].items()
            }
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return {}

    def save(self, values: Mapping[str, Value]) -> None:
        """Save `values`; a failure is logged, and changes nothing."""
        found = {key: (one.text, one.revision, one.lease) for key, one in values.items()}
        text = json.dumps({"version": _VERSION, "values": found})
        beside = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with beside.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink()
            log.event(log.ERROR, "not_kept", f"what stands in etcd is not remembered: {error}")
