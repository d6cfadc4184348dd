"""When the garbage collector looks for cycles: never while thousands of objects are made.

A full collection looks at every object, 50 ms with 3,000 routes, and nothing else happens
meanwhile. So work that makes many objects at once (a start, a reload, a status of all routes) runs
without it. The objects that such work leaves stay for long, so they are frozen (gc.freeze, which
takes no time) and never looked at again. They are freed as usual when nothing refers to them.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

__all__ = ["none_collected", "seldom"]

# New objects until the youngest generation is collected, such collections until the second one is,
# and those until all are that are not frozen: 0.2 ms, 1 ms, and at most 10 ms.
_THRESHOLDS = (2000, 5, 10)
_MANY = 5000  # young objects; to look at so many takes 3 ms
_under_way = 0


def seldom() -> None:
    """Collect from now on as fits a serving process; objects that exist now stay."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


@contextlib.contextmanager
def none_collected() -> Iterator[None]:
    """Collect nothing inside. Where many objects were made inside, never look at them later. With
    5,000 routes, looking for cycles again and again is 0.3 of the 1.5 s of a start.
    """
    global _under_way  # noqa: PLW0603 (the collector is global, too)
    _under_way += 1
    gc.disable()
    try:
        yield
    finally:
        _under_way -= 1
        if not _under_way:
            # Freed objects, of whatever age, are subtracted from the count. So the young objects
            # are counted themselves where that may matter: 6 ms for 300,000 objects.
            if gc.get_count()[0] > _MANY or len(gc.get_objects(generation=0)) > _MANY:
                gc.freeze()
            gc.enable()
