"""What JSON can say: the fields of commands and results."""

from __future__ import annotations

from types import UnionType
from typing import Any, get_args, get_origin

from ambassador.core import results

__all__ = ["RESULTS", "plain"]

RESULTS = [getattr(results, name) for name in results.__all__]


def plain(kind: Any) -> bool:
    """Return whether JSON can say values of `kind`."""
    if get_origin(kind) is tuple:
        return all(plain(inner) for inner in get_args(kind) if inner is not ...)
    if isinstance(kind, UnionType):
        return all(plain(inner) for inner in get_args(kind) if inner is not type(None))
    return kind in (str, int, float, bool) or kind in RESULTS
