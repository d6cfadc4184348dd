"""Where an SRV record leads (RFC 2782). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import gcd

from ambassador.core.pick import cycle

__all__ = ["Record", "groups", "shares"]

_MOST = 64  # entries; shares are rounded where there would be more


@dataclass(frozen=True, slots=True, order=True)
class Record:
    """One record: the lowest `priority` that can be reached comes first; `weight` is the share
    among records of one priority. A target of "." means that there is no such service.
    """

    priority: int
    weight: int
    port: int
    target: str


def groups(records: Iterable[Record]) -> tuple[tuple[Record, ...], ...]:
    """Return the records by priority, the group to be tried first at the beginning."""
    there = sorted(one for one in records if one.target not in ("", "."))
    return tuple(tuple(group) for _, group in groupby(there, key=lambda one: one.priority))


def shares(group: Sequence[Record], addresses: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return `ADDRESS#PORT` of each record of one priority, as often as its share requires, evenly
    spread. A weight of 0 has the smallest share where others have one.
    """
    found = [(one, addresses[one.target]) for one in group if addresses.get(one.target)]
    if not found:
        return ()
    weights = [max(one.weight, 1) for one, _ in found]
    divisor = gcd(*weights)
    weights = [weight // divisor for weight in weights]
    if (total := sum(weights)) > _MOST:
        weights = [max(1, round(weight * _MOST / total)) for weight in weights]
    turns = [0] * len(found)
    result = []
    for place in cycle(weights):
        one, known = found[place]
        result.append(f"{known[turns[place] % len(known)]}#{one.port}")
        turns[place] += 1
    # A record with one entry has used only one of its addresses: the others come at the end.
    rest = [f"{address}#{one.port}" for one, known in found for address in known]
    return (*result, *(one for one in dict.fromkeys(rest) if one not in result))
