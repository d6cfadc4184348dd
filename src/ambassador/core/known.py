"""Values that are noted from the start on and shown unchanged: plain, ready for JSON. They are
apart from `results`, which is imported only when a command needs it. Times in seconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Changed", "Place", "ShortageView", "SourceView"]


@dataclass(frozen=True, slots=True)
class Changed:
    """The last change of a route: its time, its author, and a sentence about it."""

    when: float
    who: str
    what: str


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source: when its last good snapshot was read, and what has been wrong since, empty when
    nothing is. `stale`: since when it cannot be asked, so that its last snapshot still counts
    though it may be out of date (0: it can be asked).
    """

    name: str
    read: float
    error: str = ""
    stale: float = 0.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a program can be reached: its `name`, empty where it has none, and its `admin`
    socket.
    """

    name: str = ""
    admin: str = ""


@dataclass(frozen=True, slots=True)
class ShortageView:
    """A place for which `times` connections found no free source port, the last one at `last`
    (seconds since 1970). That is no failure of the endpoint.
    """

    place: str
    times: int
    last: float
