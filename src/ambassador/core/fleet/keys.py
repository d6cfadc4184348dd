"""The keys in etcd, under the prefix of a fleet. Some stand under a lease, and end with it:

    PREFIX/routes/NAME                    a route                          by hand
    PREFIX/services/NAME/word             where a service leads            `fleet move`, or by hand
    PREFIX/services/NAME/trial            a move that is tried             lease of its mover
    PREFIX/services/NAME/announced/ID     an endpoint that is there        lease of its announcer
    PREFIX/applied/NAME/ID                what an ambassador has applied   its own lease
    PREFIX/history/NAME/NUMBER            who did what and when

Ambassadors watch one range of keys, from `routes/` to the end of `services/`. Their reports are
outside of it, so that thousands of reports are no events for thousands of ambassadors.
"""

from __future__ import annotations

from dataclasses import dataclass

from ambassador.spec.service import NAME

__all__ = ["NAME", "Keys", "Place", "after"]

_DIGITS = 12  # of a number in the history, with leading zeros, so that keys sort as numbers do


@dataclass(frozen=True, slots=True)
class Place:
    """What a watched key is about: `kind` is route, word, trial or announced."""

    kind: str
    name: str
    id: str = ""


def after(key: str) -> str:
    """Return the end of the range of all keys that begin with `key` (etcd's range_end)."""
    return key[:-1] + chr(ord(key[-1]) + 1)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one fleet; `prefix` has no slash at its end."""

    prefix: str

    @property
    def watched(self) -> tuple[str, str]:
        """The range of all keys that ambassadors watch."""
        return f"{self.prefix}/routes/", after(f"{self.prefix}/services/")

    def route(self, name: str) -> str:
        """Return the key of a route."""
        return f"{self.prefix}/routes/{name}"

    def word(self, name: str) -> str:
        """Return the key of where a service leads."""
        return f"{self.prefix}/services/{name}/word"

    def trial(self, name: str) -> str:
        """Return the key of the trial of a service."""
        return f"{self.prefix}/services/{name}/trial"

    def announced(self, name: str, who: str = "") -> str:
        """Return the key of what `who` announces; without `who`, the prefix of all such keys."""
        return f"{self.prefix}/services/{name}/announced/{who}"

    def applied(self, name: str = "", who: str = "") -> str:
        """Return the key of what `who` has applied of a service; without `who`, the prefix of such
        keys.
        """
        return f"{self.prefix}/applied/{name}/{who}" if name else f"{self.prefix}/applied/"

    def history(self, name: str, number: int | None = None) -> str:
        """Return the key of an entry of the history of a service; without `number`, the prefix of
        all.
        """
        text = "" if number is None else f"{number:0{_DIGITS}d}"
        return f"{self.prefix}/history/{name}/{text}"

    def place(self, key: str) -> Place | None:
        """Return what a watched `key` is about; None where it is none of ours."""
        parts = key.removeprefix(f"{self.prefix}/").split("/")
        if not all(map(NAME.fullmatch, parts[1:])):
            return None
        match parts:
            case ["routes", name]:
                return Place("route", name)
            case ["services", name, ("word" | "trial") as kind]:
                return Place(kind, name)
            case ["services", name, "announced", who]:
                return Place("announced", name, who)
        return None

    def part_of_applied(self, key: str) -> tuple[str, str]:
        """Return the service and the ambassador that the report at `key` is about."""
        name, _, who = key.removeprefix(self.applied()).partition("/")
        return name, who
