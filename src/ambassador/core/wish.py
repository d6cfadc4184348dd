"""What the operator has changed, as data laid over what the sources say.

The sources' routes are never altered: a reload keeps the wishes, `reset` drops them, and the
difference can be told at any time. A wish belongs to where a route listens, as everything of a
route does that outlives a change (see `plan`).
"""

from __future__ import annotations

from dataclasses import dataclass

from ambassador.model import Address, Admin, Endpoint, Hold, Proto, Route

__all__ = ["Key", "Wish", "key_of"]

Key = tuple[Proto, Address]


@dataclass(frozen=True, slots=True)
class Wish:
    """All that the operator wants otherwise for one route, and the last time it was changed."""

    proto: Proto
    listen: Address
    route: str  # its name when the wish was made
    who: str = ""
    when: float = 0.0  # seconds since 1970
    what: str = ""  # the last change, in a sentence
    endpoints: tuple[Endpoint, ...] | None = None  # moved
    admin: tuple[tuple[Address, Admin], ...] = ()  # by the address as it is written
    hold: Hold | None = None
    added: Route | None = None  # a route no source speaks of
    removed: bool = False

    @property
    def key(self) -> Key:
        """Where the route listens."""
        return self.proto, self.listen

    @property
    def empty(self) -> bool:
        """Whether nothing is wanted otherwise."""
        return not (
            self.endpoints is not None or self.admin or self.hold or self.added or self.removed
        )


def key_of(route: Route) -> Key:
    """Return what makes a route the same route."""
    return route.proto, route.listen
