"""What is known of all containers, and what events and lists change in it. Pure.

A list lags behind events: Docker 20.10 shows a dead container with its address for up to 414 ms,
Podman 4.3 for 500. So what an event has ended stays ended, whatever a list says that was requested
within the next second. There are two exceptions: another event has started it again, or the list
itself shows a new life (an earlier list said that the container is down, or the address is another
one). Podman's events arrive up to 250 ms late, after its list.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from ambassador.core.containers.container import Container

__all__ = ["ACTIONS", "Book", "Event", "read_event"]

# Podman 4.3 needs `died` and `remove` in a filter; newer ones and Docker `die` and `destroy`.
ACTIONS = (
    *("start", "die", "died", "stop", "kill", "pause", "unpause", "rename", "destroy", "remove"),
    *("cleanup", "update", "health_status", "connect", "disconnect", "create", "restart"),
)
_DEAD = ("die", "died", "cleanup")
_BORN = ("start", "restart")
_GONE = ("destroy", "remove")
LAG = 0.95  # seconds a list may lag behind an event; the second look comes after 1.0


class Event(NamedTuple):
    """One event: of which container and, for a network's event, of which network (its id)."""

    action: str
    container: str
    network: str = ""
    at: int = 0  # nanoseconds, by the engine's clock; 0: the engine does not say
    health: str = ""  # of a HEALTHCHECK: healthy, unhealthy, starting


def read_event(entry: object) -> Event | None:
    """Return the event in one line of GET /events; None where the line is about something else."""
    if not isinstance(entry, dict):
        return None
    actor = entry.get("Actor")
    actor = actor if isinstance(actor, dict) else {}
    attributes = actor.get("Attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    action, _, health = str(entry.get("Action") or entry.get("status") or "").partition(":")
    # Docker says `health_status: healthy`, Podman has it beside a bare `health_status`.
    health = health.strip() or str(
        entry.get("HealthStatus") or attributes.get("health_status") or ""
    )
    at = entry.get("timeNano")
    at = at if isinstance(at, int) else 0
    kind = str(entry.get("Type") or "container")
    id_ = str(actor.get("ID") or entry.get("id") or "")
    if kind == "network":
        container = str(attributes.get("container") or "")
        return Event(action, container, id_, at) if container else None
    if kind != "container" or not id_ or not action:
        return None
    return Event(action, id_, "", at, health if action == "health_status" else "")


class Book(NamedTuple):
    """`containers` by id, as they were listed last. `down`: when each died since then, by our clock
    and by the engine's. `born`: when each started, by the engine's clock. `parted`: when a
    container left a network. `touched`: when each started or joined a network, by our clock: a list
    from before says nothing of where it is now.
    """

    containers: Mapping[str, Container] = MappingProxyType({})
    down: Mapping[str, tuple[float, int]] = MappingProxyType({})
    born: Mapping[str, int] = MappingProxyType({})
    parted: Mapping[tuple[str, str], float] = MappingProxyType({})
    touched: Mapping[str, float] = MappingProxyType({})
    health: Mapping[str, str] = MappingProxyType({})  # as events told; lists of Podman have none

    def heard(self, event: Event, now: float) -> Book:
        """Return what is known after `event` was received at `now`, seconds of our clock."""
        id_ = event.container
        if event.network:
            return self._networked(event, now)
        if event.action in _DEAD:
            # Podman's file backend may report a death after the next start.
            late = bool(event.at) and self.born.get(id_, 0) > event.at
            return self if late else self._replace(down={**self.down, id_: (now, event.at)})
        if event.action in _BORN:
            return self._begun(event, now)
        if event.action in _GONE:
            containers = {one: c for one, c in self.containers.items() if one != id_}
            return self._replace(containers=containers)
        if event.health:
            return self._replace(health={**self.health, id_: event.health})
        return self

    def _begun(self, event: Event, now: float) -> Book:
        id_ = event.container
        if event.at and id_ in self.down and self.down[id_][1] > event.at:
            return self
        begun = self._replace(
            down={one: at for one, at in self.down.items() if one != id_},
            parted={one: at for one, at in self.parted.items() if one[0] != id_},
            health={one: word for one, word in self.health.items() if one != id_},
            born={**self.born, id_: event.at} if event.at else self.born,
        )
        return begun._blank(id_, "", now)

    def _networked(self, event: Event, now: float) -> Book:
        there = (event.container, event.network)
        if event.action == "disconnect":
            return self._replace(parted={**self.parted, there: now})
        if event.action == "connect":
            parted = {one: at for one, at in self.parted.items() if one != there}
            return self._replace(parted=parted)._blank(event.container, event.network, now)
        return self

    def _blank(self, id_: str, network: str, now: float) -> Book:
        """Return a copy without the addresses of a container, or without its addresses in one
        network.
        """
        touched = {**self.touched, id_: now}
        one = self.containers.get(id_)
        if one is None:
            return self._replace(touched=touched)
        left = tuple(n for n in one.networks if network and n.id != network)
        containers = {**self.containers, id_: one._replace(networks=left)}
        return self._replace(containers=containers, touched=touched)

    def listed(
        self, found: Iterable[Container], asked: Collection[str] | None, began: float
    ) -> Book:
        """Return what is known after a list has arrived that was requested at `began`: of all
        containers, or of those `asked` for.
        """
        late = {id_ for id_, at in self.touched.items() if at > began}
        new = {one.id: self.containers.get(one.id, one) if one.id in late else one for one in found}
        if asked is not None:
            kept = {id_: c for id_, c in self.containers.items() if id_ not in asked}
            new = kept | {id_: c for id_, c in new.items() if id_ in asked}
        due = None if asked is None else frozenset(asked)

        def past(id_: str, at: float) -> bool:
            return (due is None or id_ in due) and began >= at + LAG

        def again(id_: str) -> bool:
            return (
                (due is None or id_ in due)
                and (one := new.get(id_)) is not None
                and (before := self.containers.get(id_)) is not None
                and _lives_again(before, one)
            )

        return self._replace(
            containers=new,
            down={id_: at for id_, at in self.down.items() if not (past(id_, at[0]) or again(id_))},
            parted={one: at for one, at in self.parted.items() if not past(one[0], at)},
            born={id_: at for id_, at in self.born.items() if id_ in new},
            touched={id_: at for id_, at in self.touched.items() if id_ in late},
            health={id_: word for id_, word in self.health.items() if id_ in new},
        )

    def all(self) -> tuple[Container, ...]:
        """Return every container as lists and events together describe it now."""
        return tuple(self._now(one) for one in self.containers.values())

    def _now(self, one: Container) -> Container:
        if one.id in self.down and one.state in ("running", "paused"):
            return one._replace(state="exited", networks=())
        if one.id in self.health:
            one = one._replace(sick=self.health[one.id] == "unhealthy")
        if any(container == one.id for container, _ in self.parted):
            left = tuple(n for n in one.networks if (one.id, n.id) not in self.parted)
            return one._replace(networks=left)
        return one


def _lives_again(before: Container, now: Container) -> bool:
    """Tell whether a list shows a new life of a container that an event has ended, and not the old
    life late: `before` is what the list before it said.
    """
    if now.state != "running":
        return False
    here = _addresses(now)
    return bool(here) and (before.state != "running" or here.isdisjoint(_addresses(before)))


def _addresses(one: Container) -> frozenset[str]:
    return frozenset(address for network in one.networks for address, _ in network.addresses)
