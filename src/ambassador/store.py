"""The operator's wishes on disk: one JSON file, replaced as a whole or not at all.

A new file is written beside the old one, synced and renamed over it (rename(2): no reader ever sees
half of a file), and the folder is synced, so that it also survives a crash of the machine. Routes
and endpoints are written in the grammar of routes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

from ambassador import log
from ambassador.core.follow.memory import Memories, decode, encode
from ambassador.core.history import Change, History
from ambassador.core.wish import Wish
from ambassador.errors import AmbassadorError, ConfigError, Problem
from ambassador.files import replace_file
from ambassador.model import Admin, Endpoint, Hold, Proto, Snapshot
from ambassador.spec import (
    format_address,
    format_assignments,
    format_endpoint,
    parse_endpoint,
    parse_listen,
)

__all__ = ["FileHistory", "FileMemories", "FileStore"]

_VERSION = 1
_EXAMPLE = "AMBASSADOR_STATE=/var/lib/ambassador"
_NAME = "wishes.json"
_MEMORIES = "primaries.json"
_HISTORY = "history.json"


class FileStore:
    """Keeps wishes in `folder`, which is created if needed (mode 0700).

    `read` returns the routes of assignments, parsed like the arguments of `run`.
    """

    def __init__(self, folder: Path, read: Callable[[Sequence[str]], Snapshot]) -> None:
        self.path = folder / _NAME
        self._read = read

    def load(self) -> tuple[Wish, ...]:
        """Return what was saved last; see ports.StateStore.

        Raises ConfigError too when the folder cannot be written: better now than at the first
        change.
        """
        self._prepare()
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeError) as error:
            raise self._damaged(f"cannot be read: {_why(error)}") from error
        return self.decode(text)

    def decode(self, text: str) -> tuple[Wish, ...]:
        """Return the wishes in a text that `encode` has made. Raises ConfigError."""
        try:
            whole = json.loads(text)
            if whole["version"] != _VERSION:
                raise self._damaged(f"is of version {whole['version']}, this program reads 1")
            return tuple(self.wish(one) for one in whole["wishes"])
        except ConfigError as error:
            if error.problems[0].where == str(self.path):
                raise
            raise self._damaged(f"is damaged: {error.problems[0].what}") from error
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise self._damaged(f"is damaged: {_why(error)}") from error
        except RecursionError as error:
            raise self._damaged("is damaged: nested too deeply") from error

    @staticmethod
    def encode(wishes: Collection[Wish]) -> str:
        """Return `wishes` as the text of the file."""
        whole = {"version": _VERSION, "wishes": [_plain(wish) for wish in wishes]}
        return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"

    def save(self, wishes: Collection[Wish]) -> None:
        """Save `wishes`; see ports.StateStore."""
        replace_file(self.path, self.encode(wishes))

    def _prepare(self) -> None:
        folder = self.path.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            writable = os.access(folder, os.W_OK | os.X_OK)
        except OSError as error:
            raise ConfigError(self._problem(folder, f"cannot be made: {_why(error)}")) from error
        if not writable:
            raise ConfigError(self._problem(folder, "cannot be written to"))

    def _damaged(self, what: str) -> ConfigError:
        expected = "what an ambassador wrote; to start over, move it out of the way"
        example = f"mv {self.path} {self.path}.damaged"
        return ConfigError(Problem(str(self.path), what, "", expected, example))

    @staticmethod
    def _problem(folder: Path, what: str) -> Problem:
        return Problem(str(folder), what, "", "a folder this user may write to", _EXAMPLE)

    def wish(self, plain: Mapping[str, Any]) -> Wish:
        """Return the wish in `plain`. Raises an error about what is wrong with it."""
        proto = Proto(plain["proto"])
        listen = parse_listen(plain["listen"])
        moved, hold, added = plain["endpoints"], plain["hold"], plain["added"]
        routes = () if added is None else self._read(_texts(added)).routes
        if added is not None and [one.key for one in routes] != [(proto, listen)]:
            raise ValueError(f"{added} is not the one route that listens on {plain['listen']}")
        return Wish(
            proto,
            listen,
            _text(plain["route"]),
            _text(plain["who"]),
            _moment(plain["when"]),
            _text(plain["what"]),
            None if moved is None else tuple(parse_endpoint(e, proto=proto) for e in _texts(moved)),
            tuple(
                (parse_endpoint(url, proto=proto).address, Admin(word))
                for url, word in plain["admin"].items()
            ),
            None if hold is None else _hold(hold),
            routes[0] if routes else None,
            bool(plain["removed"]),
        )


class FileHistory:
    """Implements ports.HistoryStore: one file in `folder`, beside the wishes."""

    def __init__(self, folder: Path, read: Callable[[Sequence[str]], Snapshot]) -> None:
        self.path = folder / _HISTORY
        self._wishes = FileStore(folder, read)

    def load(self) -> History:
        """Return what was saved last; see ports.HistoryStore."""
        try:
            return self.decode(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return ()
        except (AmbassadorError, OSError, ArithmeticError, LookupError, TypeError, ValueError) as e:
            text = f"{self.path} {_why(e)}: what was changed before is not known"
            log.event(log.WARNING, "not_remembered", text)
            return ()

    def decode(self, text: str) -> History:
        """Return the history in a text that `encode` has made. Raises an error about what is wrong
        with it.
        """
        whole = json.loads(text)
        if whole["version"] != _VERSION:
            raise ValueError(f"is of version {whole['version']}, this program reads {_VERSION}")
        return tuple(self._change(one) for one in whole["changes"])

    @staticmethod
    def encode(history: History) -> str:
        """Return `history` as the text of the file, one change on a line."""
        lines = ",\n".join(json.dumps(_plain_change(one), ensure_ascii=False) for one in history)
        return f'{{"version": {_VERSION}, "changes": [\n{lines}\n]}}\n'

    def save(self, history: History) -> None:
        """Save `history`; see ports.HistoryStore."""
        replace_file(self.path, self.encode(history))

    def _change(self, plain: Mapping[str, Any]) -> Change:
        before = plain["before"]
        return Change(
            int(plain["number"]),
            Proto(plain["proto"]),
            parse_listen(plain["listen"]),
            _text(plain["route"]),
            _moment(plain["when"]),
            _text(plain["who"]),
            _text(plain["what"]),
            _text(plain["outcome"]),
            bool(plain["undoable"]),
            None if before is None else self._wishes.wish(before),
        )


class FileMemories:
    """Implements ports.MemoryStore: one file in `folder`, beside the wishes."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / _MEMORIES

    def load(self) -> Memories:
        """Return what was saved last; see ports.MemoryStore."""
        try:
            return decode(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            text = f"{self.path} {_why(error)}: which primaries there were is not remembered"
            log.event(log.WARNING, "not_remembered", text)
            return {}

    def save(self, memories: Memories) -> None:
        """Save `memories`; see ports.MemoryStore."""
        replace_file(self.path, encode(memories))


def _plain(wish: Wish) -> dict[str, Any]:
    return {
        "route": wish.route,
        "proto": wish.proto.value,
        "listen": format_address(wish.listen),
        "who": wish.who,
        "when": wish.when,
        "what": wish.what,
        "endpoints": wish.endpoints and [format_endpoint(e) for e in wish.endpoints],
        "admin": {
            format_endpoint(Endpoint(address, wish.proto)): word.value
            for address, word in wish.admin
        },
        "hold": wish.hold and {"timeout": wish.hold.timeout, "limit": wish.hold.limit},
        "added": wish.added and format_assignments(wish.added),
        "removed": wish.removed,
    }


def _plain_change(change: Change) -> dict[str, Any]:
    return {
        "number": change.number,
        "proto": change.proto.value,
        "listen": format_address(change.listen),
        "route": change.route,
        "when": change.when,
        "who": change.who,
        "what": change.what,
        "outcome": change.outcome,
        "undoable": change.undoable,
        "before": change.before and _plain(change.before),
    }


def _moment(value: Any) -> float:
    when = float(value)
    datetime.fromtimestamp(when, UTC)  # raises where there is no such date
    return when


def _hold(plain: Mapping[str, Any]) -> Hold:
    hold = Hold(float(plain["timeout"]), int(plain["limit"]))
    if not (isfinite(hold.timeout) and hold.timeout > 0 and hold.limit > 0):
        raise ValueError(f"a hold of {hold.limit} clients for {hold.timeout:g} s")
    return hold


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _texts(value: object) -> list[str]:
    if not isinstance(value, list) or not value:
        raise TypeError(f"{value!r} is not a list of texts")
    return [_text(one) for one in value]


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return str(error)
