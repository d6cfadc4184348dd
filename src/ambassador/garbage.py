"""When the collector of garbage looks for cycles: never while thousands of things are made.

A full collection goes through all there is, 50 ms with 3,000 routes, and nothing else happens
meanwhile. Work that makes much at once (a start, a reload, a status of all routes) is done with
none of it; and what such work leaves stays, so it is frozen (gc.freeze, which takes no time) and
never looked at again. It is freed as ever when nothing refers to it.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

__all__ = ["none_collected", "seldom"]

# New objects until the youngest are looked through, such looks until those they left are, and
# those until all are that are not frozen: 0.2 ms, 1 ms, and 10 ms at most.
_THRESHOLDS = (2000, 5, 10)
_MANY = 5000  # young objects; to look through so many takes 3 ms
_under_way = 0


def seldom() -> None:
    """Collect from now on as a process does that serves; what is here stays."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


@contextlib.contextmanager
def none_collected() -> Iterator[None]:
    """Collect nothing inside, nor what many objects that were made inside refer to later. With
    5,000 routes, looking for cycles again and again is 0.3 of the 1.5 s of a start.
    """
    global _under_way  # noqa: PLW0603 (the collector is one for the process, too)
    _under_way += 1
    gc.disable()
    try:
        yield
    finally:
        _under_way -= 1
        if not _under_way:
            # What was freed meanwhile, of whatever age, is taken off the count; all that is young
            # is looked at only where that may matter: 6 ms for 300,000 objects.
            if gc.get_count()[0] > _MANY or len(gc.get_objects(generation=0)) > _MANY:
                gc.freeze()
            gc.enable()
