"""What the operator has changed of each route, and the outcome. Pure.

A change is kept with the wish before it, so that it can be taken back. How many are kept is
bounded; the oldest are forgotten.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ambassador.core.wish import Wish, without
from ambassador.model import Address, Proto, Route, RouteKey

if TYPE_CHECKING:
    from ambassador.core.results import ChangeList

__all__ = [
    "KEPT",
    "KEPT_OF_ROUTE",
    "Change",
    "History",
    "before",
    "failed",
    "last_of",
    "noted",
    "told",
]

KEPT = 1000  # changes of all routes; a change with its wish takes about a kilobyte
KEPT_OF_ROUTE = 50
DONE, UNDONE = "done", "undone"
_LONGEST = 500  # characters of the reason why a change has failed


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the route that listens at `listen`; `before` is the wish until then. A change
    that is not `undoable` has failed, or takes another one back.
    """

    number: int
    proto: Proto
    listen: Address
    route: str
    when: float  # seconds since 1970
    who: str
    what: str
    outcome: str = DONE
    undoable: bool = True
    before: Wish | None = None

    @property
    def key(self) -> RouteKey:
        """Where the route listens."""
        return self.proto, self.listen


# The oldest first.
History = tuple[Change, ...]


def noted(
    history: History,
    before: Mapping[RouteKey, Wish],
    after: Mapping[RouteKey, Wish],
    *,
    who: str,
    when: float,
    what: str,
    undone: int = 0,
) -> History:
    """Return `history` with a change for each route whose wish differs between `before` and
    `after`. `what` is the text where no wish is left; `undone` is the number of a change that is
    taken back.
    """
    number = history[-1].number if history else 0
    added = []
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if old is new or _wanted(old) == _wanted(new):
            continue
        number += 1
        wish = new or old
        assert wish is not None  # one of them is there
        said = new.what if new is not None and not undone else what
        change = Change(number, *key, wish.route, when, who, said, before=old)
        added.append(replace(change, undoable=not undone))
    marked = tuple(
        replace(one, outcome=UNDONE, undoable=False, before=None) if one.number == undone else one
        for one in history
    )
    return _bounded((*marked, *added), {one.key for one in added})


def failed(
    history: History, route: Route, *, who: str, when: float, what: str, why: str
) -> History:
    """Return `history` with a change of `route` that was not made, and `why`."""
    number = history[-1].number + 1 if history else 1
    outcome = f"failed: {' '.join(why.split())[:_LONGEST]}"
    change = Change(number, *route.key, route.name, when, who, what, outcome, undoable=False)
    return _bounded((*history, change), {route.key})


def last_of(history: History, key: RouteKey) -> Change | None:
    """Return the change of the route `key` that an undo takes back first; None where there is
    none.
    """
    return next((one for one in reversed(history) if one.key == key and one.undoable), None)


def told(history: History, key: RouteKey | None, limit: int) -> ChangeList:
    """Return the changes of the route `key`, or of all, as they are shown, the newest first."""
    from ambassador.core.results import ChangeList, ChangeView  # noqa: PLC0415 (when it is asked)

    lasts: dict[RouteKey, int] = {}
    for one in history:
        if one.undoable:
            lasts[one.key] = one.number
    found = [one for one in reversed(history) if key is None or one.key == key]
    views = tuple(
        ChangeView(
            one.number,
            one.route,
            round(one.when, 3),
            one.who,
            one.what,
            one.outcome,
            lasts.get(one.key) == one.number,
        )
        for one in found[:limit]
    )
    return ChangeList(views, len(found))


def before(wishes: Mapping[RouteKey, Wish], change: Change) -> dict[RouteKey, Wish]:
    """Return `wishes` as they were before `change`."""
    left = without(wishes, [change.key])
    if change.before is not None:
        left[change.key] = change.before
    return left


def _wanted(wish: Wish | None) -> Wish | None:
    return None if wish is None else replace(wish, route="", who="", when=0.0, what="")


def _bounded(history: Sequence[Change], grown: Collection[RouteKey]) -> History:
    """Drop the oldest changes: of each route that has `grown`, and of all."""
    count = dict.fromkeys(grown, 0)
    kept = []
    for one in reversed(history):
        if one.key in count:
            count[one.key] += 1
            if count[one.key] > KEPT_OF_ROUTE:
                continue
        kept.append(one)
    return tuple(reversed(kept[:KEPT]))
