"""What an option of a route is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ambassador.model import Proto

__all__ = ["Option"]


class Option(NamedTuple):
    """One option: `key` is the field of Route, the key in a file, and in capitals the end of a
    companion variable. `parse` takes the text and its place, and raises ConfigError.
    """

    key: str
    parse: Callable[[str, str], Any]
    format: Callable[[Any], str]
    protos: tuple[Proto, ...]
    default: str  # as a user would write it
    example: str
    help: str
