"""An option for the example of an error, in place of an option that does not exist. Pure."""

from __future__ import annotations

from collections.abc import Collection

from ambassador.model import Proto
from ambassador.spec.options import OPTIONS, Option, applicable
from ambassador.spec.text import nearest

__all__ = ["instead"]


def instead(key: str, proto: Proto, taken: Collection[str] = ()) -> Option:
    """Return an option of a route of `proto` to write in place of `key`: the one with the most
    similar name, else `connect`, else any other; but none of those `taken` already.
    """
    known = [one for one in applicable(proto) if one not in taken]
    return OPTIONS[nearest(key.lower(), known) or ("connect" if "connect" in known else known[0])]
