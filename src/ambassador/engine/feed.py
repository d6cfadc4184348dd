"""The addresses of containers, reported to the resolver whenever they change."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from ambassador import log
from ambassador.core.containers.found import Details, Found, find
from ambassador.core.containers.views import ContainerView, EngineView
from ambassador.engine.follower import Follower
from ambassador.engine.here import here, own_id
from ambassador.engine.http import EngineHttp
from ambassador.engine.place import Where
from ambassador.engine.wake import Waker
from ambassador.engine.woken import Woken
from ambassador.errors import EngineError
from ambassador.model import Proto
from ambassador.spec.container import Container, container_of
from ambassador.tasks import spawn

__all__ = ["EngineFeed", "read_details"]

_Told = Callable[[Sequence[str], str, bool], None]
# Tells whether an endpoint with this host answers at an address and port.
Answers = Callable[[str, str, int], Awaitable[bool]]
# Returns how many sessions are open to an endpoint with this host.
Open = Callable[[str], Awaitable[int]]


_HURRY = 5.0  # seconds for which a list is read often, at least, while a client waits
_RECREATED = 15.0  # seconds a client waits at least for a container that restarts or is recreated


class _Name:
    """A host that is followed, and the functions to call for it."""

    def __init__(self, host: str, wanted: Container) -> None:
        self.host = host
        self.wanted = wanted
        self.told: list[_Told] = []
        self.found: Found | None = None
        self.said = ""
        self.addresses: tuple[str, ...] = ()
        self.left = 0.0  # when it had an address last (monotonic)
        self.wanted_until = 0.0  # until when a client may wait for it (monotonic)


class EngineFeed:
    """Implements ports.NameFeed over the engine at `where`. `seen` is called when anything of its
    containers has changed. `command` wakes a container in place of the engine, `woken` has the
    containers that were woken earlier.
    """

    def __init__(
        self,
        where: Where,
        *,
        answers: Answers,
        sessions: Open,
        command: Sequence[str] = (),
        woken: Woken | None = None,
    ) -> None:
        self.http = EngineHttp(where)
        self.follower = Follower(self.http, self._changed)
        self._own = own_id()
        self._names: dict[str, _Name] = {}
        self._details: dict[str, Details] = {}
        self._asked: set[str] = set()
        self.seen: Callable[[], None] = lambda: None
        self._waker = Waker(
            self.http,
            command,
            answers,
            sessions,
            self._changed,
            look=self.follower.look,
            woken=woken or Woken(),
        )

    def follow(self, host: str, told: _Told) -> Callable[[], None]:
        """Report where `host` is from now on; see ports.NameFeed."""
        name = self._names.get(host)
        if name is None:
            name = self._names[host] = _Name(host, container_of(host))
        name.told.append(told)
        self.follower.start()
        if self.follower.first.is_set():
            self._look(name, tell=told)

        def forget() -> None:
            if told in name.told:
                name.told.remove(told)
            if not name.told:
                self._names.pop(host, None)
                self._waker.forget(host)

        return forget

    def wanted(self, host: str) -> float:
        """Note that a client waits for `host`; see ports.NameFeed."""
        name = self._names.get(host)
        if name is None or name.addresses:
            return 0.0
        patience = self._patience(name)
        name.wanted_until = time.monotonic() + max(_HURRY, patience)
        self._hurry()
        return patience

    def _patience(self, name: _Name) -> float:
        if not name.wanted.wake:
            return max(0.0, name.left + _RECREATED - time.monotonic()) if name.left else 0.0
        if name.found is None:
            return self._waker.patience
        return self._waker.wake(name.wanted, name.host, name.found)

    def _hurry(self) -> None:
        nowhere = [one.wanted_until for one in self._names.values() if not one.addresses]
        self.follower.hurry(max(nowhere, default=0.0))

    def doubt(self, host: str) -> None:
        """Do nothing where an address did not work: events report changes; see ports.NameFeed."""

    def found(self, host: str) -> Found | None:
        """Return what is known of `host`."""
        name = self._names.get(host)
        return name.found if name is not None else None

    def view(self, host: str) -> tuple[tuple[ContainerView, ...], str]:
        """Return the containers that `host` means, and why none of them can be used."""
        name = self._names.get(host)
        if name is None:
            return (), ""
        replicas = name.found.replicas if name.found is not None else ()
        containers = tuple(replace(r, id=r.id[:12]) for r in replicas)
        why = "" if name.addresses else name.said
        asleep = name.found is not None and name.found.asleep and name.wanted.wake
        if why and asleep:
            why += "; a client wakes it"
        return containers, "; ".join(filter(None, (why, self._waker.errors.get(host, ""))))

    def engine_view(self) -> EngineView:
        """Return what is known of the engine."""
        follower, http = self.follower, self.http
        age = round(time.time() - follower.seen_at, 1) if follower.seen_at else None
        count = len(follower.book.containers)
        return EngineView(str(http.where), http.server, http.version, count, age, follower.error)

    def close(self) -> None:
        """Report nothing any more."""
        self._waker.close()
        self.follower.close()
        self._names.clear()

    def _changed(self) -> None:
        if self.follower.first.is_set():
            for name in tuple(self._names.values()):
                self._look(name)
        self.seen()

    def _look(self, name: _Name, tell: _Told | None = None) -> None:
        follower = self.follower
        if not follower.listed:  # never: nothing is known, which is not the same as no containers
            self._tell(name, (), follower.error or "the engine has not answered yet", False, tell)
            return
        containers = follower.containers
        isolated = "libpod" not in self.http.server.lower()
        place = here(self.http.where, containers, isolated, self._own)
        found = find(name.wanted, containers, place, self._details.get)
        name.found = found
        for id_ in found.unknown:
            self._ask_details(id_)
        running = (one.id for one in found.replicas if one.state == "running")
        self._waker.see_to(name.wanted, name.host, running)
        addresses = self._waker.let_through(name.host, name.wanted, found)
        self._tell(name, addresses, found.problem, True, tell)

    def _tell(
        self, name: _Name, addresses: tuple[str, ...], why: str, known: bool, new: _Told | None
    ) -> None:
        before, name.addresses = name.addresses, addresses
        if before and not addresses:
            name.left = time.monotonic()
        if addresses and not before:
            self._hurry()
        if why != name.said or before != addresses:
            self._say(name, before, why, known)
        name.said = why
        for told in (new,) if new is not None else tuple(name.told):
            told(addresses, why, known)

    def _say(self, name: _Name, before: tuple[str, ...], why: str, known: bool) -> None:
        fields: dict[str, Any] = {"name": name.host, "addresses": list(name.addresses)}
        if name.addresses and name.addresses != before:
            was = f" (was {', '.join(before)})" if before else ""
            text = f"{name.host} is at {', '.join(name.addresses)}{was}"
            log.event(log.INFO, "container_at", text, before=list(before), **fields)
        elif not name.addresses and why and why != name.said:
            wrong = not known or (name.found is not None and name.found.wrong)
            apart = "no network in common" in why
            level = log.WARNING if wrong or apart else log.INFO
            log.event(level, "container_nowhere", f"{name.host}: {why}", reason=why, **fields)

    def _ask_details(self, id_: str) -> None:
        if id_ not in self._asked:
            self._asked.add(id_)
            spawn(self._learn_details(id_), f"details of container {id_[:12]}")

    async def _learn_details(self, id_: str) -> None:
        try:
            self._details[id_] = read_details(await self.http.get(f"/containers/{id_}/json"))
        except EngineError:
            self._details[id_] = Details()
        finally:
            self._asked.discard(id_)
        self._changed()


def read_details(entry: object) -> Details:
    """Return what GET /containers/ID/json has in addition to the list; malformed fields are left
    out.
    """
    entry = entry if isinstance(entry, dict) else {}
    host, config = entry.get("HostConfig"), entry.get("Config")
    mode = str(host.get("NetworkMode") or "") if isinstance(host, dict) else ""
    exposed = config.get("ExposedPorts") if isinstance(config, dict) else None
    ports = []
    for text in exposed if isinstance(exposed, dict) else ():
        port, _, proto = str(text).partition("/")
        if port.isdecimal() and 0 < int(port) < 65536:
            ports.append((int(port), str(Proto(proto)) if proto in ("tcp", "udp") else "tcp"))
    return Details(mode, tuple(sorted(ports)))
