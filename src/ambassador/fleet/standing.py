"""What is in etcd about a service: the word, the ambassadors that follow it, and the history."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ambassador.core.fleet.keys import Keys, after
from ambassador.core.fleet.past import MOST
from ambassador.core.fleet.picture import Value
from ambassador.core.fleet.records import (
    Announced,
    Applied,
    Entry,
    Trial,
    Word,
    parse_announced,
    parse_applied,
    parse_entry,
    parse_trial,
    parse_word,
)
from ambassador.errors import ConfigError
from ambassador.fleet.etcd import Etcd

__all__ = ["Standing", "followed", "named", "reported", "standing"]

_T = TypeVar("_T")
_Parse = Callable[[str, str], _T]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is in etcd about one service. A value that makes no sense counts as missing."""

    word: Word
    revision: int  # of the word; 0: there is none
    trial: Trial | None
    trial_revision: int
    announced: Mapping[str, Announced]
    reports: Mapping[str, Applied]
    reported: int  # the revision at which the reports were read
    history: Mapping[int, Entry]


async def standing(etcd: Etcd, keys: Keys, service: str) -> Standing:
    """Return what is in etcd about `service`. Raises AwayError and ConfigError."""
    word_key, trial_key = keys.word(service), keys.trial(service)
    beginning = word_key.removesuffix("word")
    there = (await etcd.get(beginning, after(beginning))).values
    reports = await etcd.get(begin := keys.applied(service), after(begin))
    entries = (await etcd.get(past := keys.history(service), after(past), limit=MOST)).values
    stands, tried = there.get(word_key), there.get(trial_key)
    announced = keys.announced(service)
    offers = {key: one for key, one in there.items() if key.startswith(announced)}
    return Standing(
        (_understood(parse_word, word_key, stands) or Word()),
        0 if stands is None else stands.revision,
        _understood(parse_trial, trial_key, tried),
        0 if tried is None else tried.revision,
        dict(_each(parse_announced, offers)),
        dict(_each(parse_applied, reports.values)),
        reports.revision,
        {int(number): one for number, one in _each(parse_entry, entries) if number.isdigit()},
    )


async def followed(etcd: Etcd, keys: Keys) -> list[str]:
    """Return the names of all services that an ambassador follows."""
    found = await etcd.get(beginning := keys.applied(), after(beginning))
    return sorted({keys.part_of_applied(key)[0] for key in found.values})


async def named(etcd: Etcd, keys: Keys) -> list[str]:
    """Return the names of all services and routes, and of those that an ambassador follows."""
    found = await etcd.get(*keys.watched)
    places = (keys.place(key) for key in found.values)
    names = {place.name for place in places if place is not None}
    return sorted(names | set(await followed(etcd, keys)))


def reported(
    beginning: str, changes: Mapping[str, Value | None]
) -> Iterator[tuple[str, Applied | None]]:
    """Yield each ambassador and its report in `changes`, under the keys that begin with
    `beginning`; None: the report is deleted, or makes no sense.
    """
    for key, value in changes.items():
        yield key.removeprefix(beginning), _understood(parse_applied, key, value)


def _understood(parse: _Parse[_T], key: str, value: Value | None) -> _T | None:
    if value is not None:
        with contextlib.suppress(ConfigError):
            return parse(key, value.text)
    return None


def _each(parse: _Parse[_T], values: Mapping[str, Value]) -> Iterator[tuple[str, _T]]:
    """Yield the values that make sense, by the last part of their key."""
    for key, value in values.items():
        if (one := _understood(parse, key, value)) is not None:
            yield key.rpartition("/")[2], one
